"""Datasets of Ultralytics YOLO-pose that are made of labels."""

from pathlib import Path
import warnings

import numpy as np

from skpose._files import making_folder
from skpose.datasets._write_images import boxes_of, join_names, name_images, write_images
from skpose.datasets._yolo import SPLITS

__all__ = ["write_yolo"]

_TRAIN, _VAL, _TEST = SPLITS


def write_yolo(path, labels, *, overwrite):
    """Write a folder with images, a text file for each, and the description of the dataset."""
    import yaml

    splits = labels.get("splits")
    splits = [_TRAIN] * len(labels.images) if splits is None else [str(split) for split in splits]
    if wrong := sorted(set(splits) - set(SPLITS)):
        raise ValueError(f"splits must be {', '.join(SPLITS)}, but have {', '.join(wrong)}.")
    names = join_names(name_images(labels))  # sleap-io looks into no folders of videos
    visibility, boxes = _inside(labels), boxes_of(labels)
    with making_folder(path) as folder:
        places = [(f"{split}/images", name) for split, name in zip(splits, names, strict=True)]
        write_images(labels.images, places, folder)
        height, width = labels.images.shape[1:3]
        for row, (split, name) in enumerate(zip(splits, names, strict=True)):
            file = folder / split / "labels" / Path(name).with_suffix(".txt")
            file.parent.mkdir(exist_ok=True)
            line = _line(labels.keypoints[row], visibility[row], boxes[row], [width, height])
            file.write_text(line, encoding="utf-8")
        text = yaml.safe_dump(
            _description(labels.skeleton, set(splits)), sort_keys=False, allow_unicode=True
        )
        (folder / "data.yaml").write_text(text, encoding="utf-8")


def _inside(labels):
    """Return the visibility of keypoints; those outside of the image cannot be written."""
    size = np.array(labels.images.shape[2:0:-1])
    keypoints = np.nan_to_num(labels.keypoints)
    is_outside = ((keypoints < -0.5) | (keypoints > size - 0.5)).any(axis=2)
    is_lost = is_outside & (labels.visibility > 0)
    if is_lost.any():
        warnings.warn(
            f"{is_lost.sum()} keypoints lie outside of their images, which YOLO does not know: "
            "they are written as not labelled.",
            UserWarning,
            stacklevel=4,
        )
    return np.where(is_outside, 0, np.maximum(labels.visibility, 0))


def _line(keypoints, visibility, box, size):
    """Return what is labelled in an image as shares of its size; nothing for one without labels."""
    is_placed = visibility > 0
    if not is_placed.any():
        return ""
    shares = np.where(is_placed[:, np.newaxis], (keypoints + 0.5) / size, 0.0)
    x, y, width, height = box
    low, high = np.array([x, y]) + 0.5, np.array([x + width, y + height]) + 0.5
    low, high = np.maximum(low / size, 0), np.minimum(high / size, 1)  # as far as the image goes
    box = [*((low + high) / 2).tolist(), *(high - low).tolist()]
    points = [
        text
        for (x, y), seen in zip(shares.tolist(), visibility.tolist(), strict=True)
        for text in (repr(x), repr(y), str(seen))
    ]
    return " ".join(["0", *map(repr, box), *points]) + "\n"


def _description(skeleton, splits):
    """Return what data.yaml says; "node_names" and "skeleton" are what sleap-io looks for."""
    names = list(skeleton.names)
    first = next(split for split in SPLITS if split in splits)
    # Ultralytics asks for both, to train on and to validate on.
    used = {split: split if split in splits else first for split in (_TRAIN, _VAL)}
    used |= {_TEST: _TEST} if _TEST in splits else {}
    return {  # without "path", the folder is that of the file
        **{split: f"{place}/images" for split, place in used.items()},
        "kpt_shape": [len(names), 3],
        "flip_idx": skeleton.swap_index.tolist(),
        "names": {0: "animal"},
        "kpt_names": {0: names},
        "node_names": names,
        "skeleton": [
            [int(parent), child] for child, parent in enumerate(skeleton.parents) if parent >= 0
        ],
    }
