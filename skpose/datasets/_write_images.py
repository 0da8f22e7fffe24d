"""Images of labels as files of their own: what they are called, and how they are written."""

from pathlib import Path, PureWindowsPath
import re

import numpy as np

from skpose._boxes import boxes_around
from skpose._files import name_without_size
from skpose._lazy_array import iterate_rows
from skpose._opencv import import_opencv

__all__ = ["boxes_of", "encode_images", "join_names", "name_images", "videos_of", "write_images"]

_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')  # in names of files, on some system
_ENDING = re.compile(r"\.(avi|m4v|mkv|mov|mp4|mpe?g|webm|wmv)$", re.IGNORECASE)
_NO_VIDEO = "images"  # what the folder of images is called whose video is not known


def name_images(labels):
    """Return what the images of labels are called as files, each once.

    Parameters
    ----------
    labels : Bunch
        As `read_labels` returns it.

    Returns
    -------
    list of (str, str)
        The folder, named after the video, and the file in it. Of frames of a video the file is
        named after their number, of images that were files after those, of others after their place
        among the labels.
    """
    taken, names = set(), []
    for folder, stem in zip(_folders(labels), _stems_of(labels), strict=True):
        names.append((folder, f"{_free(stem, folder, taken)}.png"))
    return names


def join_names(names):
    """Return names of files in one folder, for formats that know no folders of videos."""
    taken = set()
    return [f"{_free(Path(f'{video}_{name}').stem, '', taken)}.png" for video, name in names]


def _folders(labels):
    """Return the folder's name of each image, one for each video."""
    folders, taken = {}, set()
    videos = videos_of(labels)
    for video, name in videos:
        if video not in folders:
            folders[video] = _free(_clean(_ENDING.sub("", name)) or _NO_VIDEO, "", taken)
    return [folders[video] for video, _ in videos]


def boxes_of(labels):
    """Return the boxes around animals: those that labels have, or else around the keypoints."""
    is_placed = np.asarray(labels.visibility)[..., np.newaxis] > 0
    boxes = boxes_around(np.where(is_placed, labels.keypoints, np.nan))
    if labels.get("bboxes") is None:
        return boxes
    given = np.asarray(labels.bboxes, dtype=float)
    return np.where(np.isfinite(given).all(axis=1, keepdims=True), given, boxes)


def videos_of(labels):
    """Return of each image which video it is of, and how that is called, "" where not known."""
    if labels.get("videos") is not None:
        return [(str(video), name_without_size(str(video))) for video in labels.videos]
    if labels.get("filenames") is not None:
        folders = [Path(name).parent for name in labels.filenames]
        return [(folder, folder.name) for folder in folders]
    groups = labels.get("groups")
    names = [""] * len(labels.images) if groups is None else [str(group) for group in groups]
    return [(name, PureWindowsPath(name).name) for name in names]


def _stems_of(labels):
    numbers = labels.get("frame_numbers")
    numbers = np.full(len(labels.images), -1) if numbers is None else np.asarray(numbers)
    files = labels.get("filenames")
    n_digits = max(4, len(str(max(numbers.max(initial=0), len(numbers)))))
    stems = []
    for row, number in enumerate(numbers.tolist()):
        if number < 0 and files is not None:
            stems.append(_clean(Path(files[row]).stem) or f"img{row:0{n_digits}}")
        else:
            stems.append(f"img{number if number >= 0 else row:0{n_digits}}")
    return stems


def _clean(name):
    return _FORBIDDEN.sub("_", name).strip(". ")


def _free(name, folder, taken):
    """Return a name, or one like it, that is not taken on systems that know no capitals either."""
    candidate, n = name, 1
    while (folder, candidate.lower()) in taken:
        n += 1
        candidate = f"{name}_{n}"
    taken.add((folder, candidate.lower()))
    return candidate


def write_images(images, names, folder):
    """Write images as PNG, in which no pixel changes, a few at a time.

    Parameters
    ----------
    images : array-like of shape (n_samples, height, width, n_channels)
        Also ones that stay on disk.
    names : list of (str, str)
        What `name_images` returned.
    folder : pathlib.Path
        Where to; folders of videos are made in it.
    """
    for video in dict.fromkeys(video for video, _ in names):
        (folder / video).mkdir(parents=True)
    for encoded, (video, name) in zip(encode_images(images), names, strict=True):
        encoded.tofile(folder / video / name)  # cv2.imwrite fails on some names of files


def encode_images(images):
    """Yield images as the bytes of PNG files, in which no pixel changes, a few at a time."""
    cv2 = import_opencv()
    for image in iterate_rows(images):
        pixels = image[..., 0] if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        _, encoded = cv2.imencode(".png", pixels)
        yield encoded
