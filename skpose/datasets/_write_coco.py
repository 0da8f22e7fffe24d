"""COCO files that are made of labels."""

import json

import numpy as np

from skpose._files import making_folder, replacing
from skpose.datasets._write_images import boxes_of, name_images, write_images

__all__ = ["START", "images_beside", "write_coco"]

START = b'{"info": {"description": "skpose"}'  # of what is written


def images_beside(path):
    """Return the folder that the images of a COCO file go into."""
    return path.with_name(f"{path.stem}_images")


def write_coco(path, labels, *, overwrite):
    """Write a COCO file, and the images into a folder beside it."""
    folder = images_beside(path)
    names = name_images(labels)
    content = {
        "images": _images(labels, names, folder),
        "annotations": _annotations(labels),
        "categories": [_category(labels.skeleton)],
    }
    with replacing(path, overwrite=overwrite) as temporary, making_folder(folder) as images:
        write_images(labels.images, names, images)
        with temporary.open("w", encoding="utf-8") as file:
            file.write(START.decode())
            for name, parts in content.items():  # one at a time: all of them take much memory
                lines = (json.dumps(part, ensure_ascii=False, allow_nan=False) for part in parts)
                file.write(f', "{name}": [\n')
                file.writelines(f"{',' if i else ''}{line}\n" for i, line in enumerate(lines))
                file.write("]")
            file.write("}\n")


def _images(labels, names, folder):
    """Yield what describes each image."""
    height, width = map(int, labels.images.shape[1:3])
    for row, (video, name) in enumerate(names, start=1):
        file = f"{folder.name}/{video}/{name}"
        yield {"id": row, "file_name": file, "width": width, "height": height}


def _category(skeleton):
    """Return what describes the animal; its edges count bodyparts from 1, the child first."""
    return {
        "id": 1,
        "name": "animal",
        "supercategory": "",
        "keypoints": list(skeleton.names),
        "skeleton": [
            [child + 1, int(parent) + 1]
            for child, parent in enumerate(skeleton.parents)
            if parent >= 0
        ],
    }


def _annotations(labels):
    """Yield what is labelled in each image in which anything is."""
    for row, (keypoints, visibility, box) in enumerate(
        zip(labels.keypoints, labels.visibility, boxes_of(labels), strict=True), start=1
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
        x, y, width, height = box.tolist()
        yield {
            "id": row,
            "image_id": row,
            "category_id": 1,
            "keypoints": numbers,
            "num_keypoints": int(is_placed.sum()),
            "bbox": [x + 0.5, y + 0.5, width, height],  # from the corner of the first pixel
            "area": width * height,
            "iscrowd": 0,
        }
