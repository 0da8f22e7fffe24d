"""SLEAP packages that are made of labels."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from skpose._files import replacing, with_ending
from skpose._sleap_files import import_sleap_io, mark_as_own
from skpose.datasets._write_images import name_images, write_images

__all__ = ["write_sleap"]


def write_sleap(path, labels, *, overwrite):
    """Write a SLEAP file that has the images in it, a video for each folder of `name_images`."""
    sleap_io = import_sleap_io()
    names = name_images(labels)
    skeleton = _skeleton(sleap_io, labels.skeleton)
    with (
        replacing(path, overwrite=overwrite) as temporary,
        TemporaryDirectory(dir=path.resolve().parent, prefix=".skpose-") as folder,
    ):
        write_images(labels.images, names, Path(folder))
        videos, frames = {}, []
        for video in dict.fromkeys(video for video, _ in names):
            files = [str(Path(folder, *name)) for name in names if name[0] == video]
            videos[video] = sleap_io.Video.from_filename(files)
        counts = dict.fromkeys(videos, 0)
        for (video, _), points in zip(names, np.asarray(labels.keypoints), strict=True):
            instance = sleap_io.Instance.from_numpy(points, skeleton=skeleton)
            frames.append(
                sleap_io.LabeledFrame(
                    video=videos[video], frame_idx=counts[video], instances=[instance]
                )
            )
            counts[video] += 1
        package = sleap_io.Labels(frames, videos=list(videos.values()), skeletons=[skeleton])
        mark_as_own(package, "labels")
        with with_ending(temporary, ".pkg.slp") as named:
            package.save(str(named), embed="user", verbose=False)


def _skeleton(sleap_io, skeleton):
    nodes = list(skeleton.names)
    edges = [
        (nodes[parent], nodes[child])
        for child, parent in enumerate(skeleton.parents)
        if parent >= 0
    ]
    pairs = {
        frozenset((nodes[one], nodes[other]))
        for one, other in enumerate(skeleton.swap_index.tolist())
        if one != other
    }
    made = sleap_io.Skeleton(nodes=nodes, edges=edges)
    for one, other in map(sorted, pairs):
        made.add_symmetry(one, other)
    return made
