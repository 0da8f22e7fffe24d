"""How much memory it takes to convert labels, and how long, for 100 and for 10,000 frames.

    python benchmarks/conversion.py

An annotation set of frames of 128 x 128 pixels with 14 bodyparts is converted to each format, and
each format to an annotation set again, as `skpose convert` does it, in processes of their own.
``grows_mib`` is by how much more the peak of the resident memory is with 10,000 frames.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from _processes import peak_memory, run_alone
from _report import write_report
import numpy as np

from skpose import Skeleton
from skpose._lazy_array import LazyArray
from skpose.datasets import read_labels, write_annotations, write_labels

N_FRAMES, SIDE, N_KEYPOINTS = (100, 10_000), 128, 14
TARGETS = {
    "deepposekit": "again.h5",
    "deeplabcut": "deeplabcut",
    "lightning_pose": "lightning_pose",
    "coco": "coco.json",
    "sleap": "sleap.pkg.slp",
    "yolo": "yolo",
}


class Frames(LazyArray):
    """Frames of noise, which PNG makes no smaller, made when they are asked for."""

    def __init__(self, n):
        super().__init__(n, (SIDE, SIDE, 1))

    def _read(self, positions):
        return np.stack(
            [
                np.random.default_rng(i).integers(0, 255, self._row_shape, np.uint8)
                for i in positions
            ]
        )


def write_source(path, n_frames):
    """Write an annotation set of one video."""
    rng = np.random.default_rng(0)
    write_annotations(
        path,
        Frames(n_frames),
        rng.uniform(0, SIDE - 1, (n_frames, N_KEYPOINTS, 2)),
        skeleton=Skeleton([f"bodypart {k}" for k in range(N_KEYPOINTS)]),
        videos=np.full(n_frames, "fly.mp4"),
        frame_numbers=np.arange(n_frames),
    )


def convert(source, target, format):
    """Convert labels; give the peak of the memory in MiB, and the seconds."""
    start = perf_counter()
    write_labels(target, read_labels(source), format=format)
    return peak_memory(), perf_counter() - start


def measure(format, folders):
    """Convert an annotation set to a format and back, few frames and many."""
    rows = {}
    for way in ("written", "read"):
        peaks, seconds = {}, {}
        for n, folder in folders.items():
            there = Path(folder, TARGETS[format])
            source, target = (Path(folder, "set.h5"), there)
            if way == "read":
                source, target = there, Path(folder, f"of_{format}.h5")
            to = format if way == "written" else "deepposekit"
            peaks[n], seconds[n] = run_alone(convert, source, target, to)
            if way == "read":
                target.unlink()
        few, many = N_FRAMES
        rows[way] = {
            "peak_mib": round(peaks[few]),
            "grows_mib": round(peaks[many] - peaks[few], 1),
            "ms_a_frame": round(1000 * seconds[many] / many, 2),
        }
    return rows


def main():
    with TemporaryDirectory() as folder:
        folders = {n: Path(folder, str(n)) for n in N_FRAMES}
        for n, place in folders.items():
            place.mkdir()
            write_source(place / "set.h5", n)
        results = {}
        for format in TARGETS:
            results[format] = measure(format, folders)
            print(format, results[format], flush=True)
    write_report("conversion", results)


if __name__ == "__main__":
    main()
