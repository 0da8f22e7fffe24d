"""SLEAP packages that are made of labels."""

import math
from typing import NamedTuple

import numpy as np

from skpose._files import replacing, with_ending
from skpose._hdf5 import create_hdf5
from skpose._sleap_files import import_sleap_io, mark_as_own
from skpose.datasets._write_images import encode_images, name_images, videos_of

__all__ = ["write_sleap"]

_SPARE = 1.25  # how much longer than its first image the parts are in which a video is stored


class _Video(NamedTuple):
    """Images that go into a package as one video."""

    source: str | list  # what it was: a video, or images in files
    rows: list  # of int, which images of the labels
    frames: list  # of int, the number of each in the video


def write_sleap(path, labels, *, overwrite):
    """Write a SLEAP file that has the images in it, a video for each folder of `name_images`.

    sleap-io would hold all images in memory to put them into a file; it copies those that are in
    one already.
    """
    sleap_io = import_sleap_io()
    videos = _divide(labels)
    with replacing(path, overwrite=overwrite) as temporary:
        file = temporary.with_name(f"{temporary.name}.images.h5")
        try:
            _write_videos(file, labels.images, videos)
            package = _labels(sleap_io, labels, videos, str(file))
            mark_as_own(package, "labels")
            with with_ending(temporary, ".pkg.slp") as named:
                package.save(str(named), embed=None, verbose=False)  # which keeps what is embedded
        finally:
            file.unlink(missing_ok=True)


def _divide(labels):
    """Return the videos, with the numbers of their frames where these are known and differ."""
    names, sources = name_images(labels), videos_of(labels)
    rows = {}
    for row, (folder, _) in enumerate(names):
        rows.setdefault(folder, []).append(row)
    numbers = labels.get("frame_numbers")
    videos = []
    for its_rows in rows.values():
        _, name = sources[its_rows[0]]
        frames = [] if numbers is None else [int(numbers[row]) for row in its_rows]
        if name and frames and min(frames) >= 0 and len(set(frames)) == len(frames):
            videos.append(_Video(name, its_rows, frames))
        else:
            files = ["/".join(names[row]) for row in its_rows]
            videos.append(_Video(files, its_rows, list(range(len(files)))))
    return videos


def _write_videos(path, images, videos):
    """Write images into an HDF5 file, a few at a time, as packages have them."""
    places = {
        row: (number, place)
        for number, video in enumerate(videos)
        for place, row in enumerate(video.rows)
    }
    with create_hdf5(path, math.prod(images.shape)) as file:
        stored = {}
        for row, encoded in enumerate(encode_images(images)):
            number, place = places[row]
            if number not in stored:
                stored[number] = _new_video(
                    file, number, videos[number].frames, len(encoded), images.shape[1:]
                )
            if len(encoded) > stored[number].shape[1]:
                stored[number].resize(len(encoded), axis=1)
            stored[number][place, : len(encoded)] = encoded.view(np.int8)


def _new_video(file, number, frames, n_bytes, shape):
    """Return the dataset of a video's images, each a row as long as the longest."""
    group = file.create_group(f"video{number}")
    images = group.create_dataset(
        "video",
        shape=(len(frames), n_bytes),
        maxshape=(len(frames), None),
        chunks=(1, int(_SPARE * n_bytes)),
        dtype=np.int8,
    )
    height, width, n_channels = map(int, shape)
    images.attrs.update(
        format="png",
        channel_order="RGB",
        frames=len(frames),
        height=height,
        width=width,
        channels=n_channels,
    )
    group.create_dataset("frame_numbers", data=frames)
    return images


def _labels(sleap_io, labels, videos, file):
    """Return sleap-io's labels, of images that are copied from a file."""
    skeleton = _skeleton(sleap_io, labels.skeleton)
    shape = labels.images.shape[1:]
    opened = [_video(sleap_io, video, k, shape, file) for k, video in enumerate(videos)]
    frames = [
        sleap_io.LabeledFrame(
            video=video,
            frame_idx=frame,
            instances=[sleap_io.Instance.from_numpy(labels.keypoints[row], skeleton=skeleton)],
        )
        for video, (_, rows, its_frames) in zip(opened, videos, strict=True)
        for row, frame in zip(rows, its_frames, strict=True)
    ]
    return sleap_io.Labels(frames, videos=opened, skeletons=[skeleton])


def _video(sleap_io, video, number, shape, file):
    """Return what sleap-io calls a video: what it was, and where its images are."""
    about = {
        "type": "HDF5Video",
        "filename": ".",  # the package itself
        "dataset": f"video{number}/video",
        "input_format": "",
        "convert_range": False,
        "has_embedded_images": True,
        "shape": [len(video.frames), *map(int, shape)],
        "grayscale": shape[2] == 1,
    }
    source = sleap_io.Video(filename=video.source, open_backend=False)
    if isinstance(video.source, list):
        source.backend_metadata = {
            "type": "ImageVideo",
            "filename": video.source[0],
            "filenames": video.source,
            "shape": about["shape"],
        }
    return sleap_io.Video(
        filename=file, backend_metadata=about, source_video=source, open_backend=False
    )


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
