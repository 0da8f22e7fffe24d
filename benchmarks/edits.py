"""How long an edit of one keypoint takes until it is on the disk, in small and large sets.

The sets are edited in turn::

    python benchmarks/edits.py
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
import time

from _report import write_report
import numpy as np

from skpose import Skeleton
from skpose.datasets import AnnotationEditor, write_annotations

N_IMAGES = (1_000, 10_000, 100_000)
N_KEYPOINTS = 20


def make_editor(folder, n_images):
    path = Path(folder, f"{n_images}.h5")
    skeleton = Skeleton([f"bodypart {i}" for i in range(N_KEYPOINTS)])
    write_annotations(path, np.zeros((n_images, 8, 8, 1), dtype=np.uint8), skeleton=skeleton)
    return AnnotationEditor(path)


def time_edit(editor, i):
    """Return the seconds until an edit is on the disk."""
    edit = [i % len(editor), i % N_KEYPOINTS, "placed", 1.0 + i % 7, 2.0]
    start = time.perf_counter()
    editor.edit([edit], base=editor.version, by="annotator", key=f"annotator:{i}")
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=500, help="in each set")
    n_edits = parser.parse_args().edits
    with TemporaryDirectory(dir=Path.cwd()) as folder:
        editors = [make_editor(folder, n_images) for n_images in N_IMAGES]
        seconds = [[time_edit(editor, i) for editor in editors] for i in range(-20, n_edits)]
    seconds = np.array(seconds[20:])
    medians, slow = np.median(seconds, axis=0), np.percentile(seconds, 95, axis=0)
    figures = {
        f"an edit among {n_images} images, ms": {
            "median": 1e3 * median,
            "95th percentile": 1e3 * most,
        }
        for n_images, median, most in zip(N_IMAGES, medians, slow, strict=True)
    }
    figures["of the largest to the smallest set"] = medians[-1] / medians[0]
    write_report("edits", figures)


if __name__ == "__main__":
    main()
