"""COCO files that are made of labels."""

import json

import numpy as np

from skpose._files import making_folder, replacing
from skpose.datasets._write_images import name_images, write_images

__all__ = ["START", "images_beside", "write_coco"]

START = b'{"info": {"description": "skpose"}'  # of what is written


def images_beside(path):
    """Return the folder that the images of a COCO file go into."""
    return path.with_name(f"{path.stem}_images")


def write_coco(path, labels, *, overwrite):
    """Write a COCO file, and the images into a folder beside it."""
    folder = images_beside(path)
    names = name_images(labels)
    skeleton = labels.skeleton
    height, width = labels.images.shape[1:3]
    content = {
        "info": {"description": "skpose"},
        "images": [
            {
                "id": row,
                "file_name": f"{folder.name}/{video}/{name}",
                "width": int(width),
                "height": int(height),
            }
            for row, (video, name) in enumerate(names, start=1)
        ],
        "annotations": list(_annotations(labels)),
        "categories": [
            {
                "id": 1,
                "name": "animal",
                "supercategory": "",
                "keypoints": list(skeleton.names),
                # from 1, the child first
                "skeleton": [
                    [child + 1, int(parent) + 1]
                    for child, parent in enumerate(skeleton.parents)
                    if parent >= 0
                ],
            }
        ],
    }
    with replacing(path, overwrite=overwrite) as temporary, making_folder(folder) as images:
        write_images(labels.images, names, images)
        text = json.dumps(content, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text, encoding="utf-8")


def _annotations(labels):
    """Yield what is labelled in each image in which anything is."""
    for row, (keypoints, visibility) in enumerate(
        zip(np.asarray(labels.keypoints), np.asarray(labels.visibility), strict=True), start=1
    ):
        is_placed = visibility > 0
        if not is_placed.any():
            continue
        places = np.where(is_placed[:, np.newaxis], keypoints, 0.0)
        numbers = [
            number
            for (x, y), seen in zip(places.tolist(), visibility.tolist(), strict=True)
            for number in (x, y, max(seen, 0))
        ]
        low, high = places[is_placed].min(axis=0), places[is_placed].max(axis=0)
        size = high - low + 1  # of a whole pixel round each, so that no box is empty
        yield {
            "id": row,
            "image_id": row,
            "category_id": 1,
            "keypoints": numbers,
            "num_keypoints": int(is_placed.sum()),
            # Boxes are counted from the corner of the first pixel, keypoints from its centre: the
            # pixel of a keypoint begins where the keypoint's own number says.
            "bbox": [*low.tolist(), *size.tolist()],
            "area": float(size.prod()),
            "iscrowd": 0,
        }
