"""Poses as COCO's results: a list of what was found in each image."""

import json

import numpy as np

from skpose._files import reading
from skpose.poses._dataset import ONLY_ONE, arrays_of, from_numpy


def write_coco_results(path, poses, video=None):
    """Write what was found; ``image_id`` is the number of the frame."""
    frames = poses["frame"].values
    if frames.dtype.kind not in "iu":
        raise ValueError("COCO's results name images by numbers, but these poses by their files.")
    results = []
    for frame, places, scores in zip(frames.tolist(), *arrays_of(poses), strict=True):
        for points, score in zip(places, scores, strict=True):
            is_found = np.isfinite(points).all(axis=1)
            if not is_found.any():
                continue
            table = np.where(is_found[:, np.newaxis], np.column_stack([points, score]), 0.0)
            table = np.nan_to_num(table.astype(np.float64))
            results.append(
                {
                    "image_id": frame,
                    "category_id": 1,
                    "keypoints": table.ravel().tolist(),
                    "score": float(table[is_found, 2].mean()),
                }
            )
    path.write_text(json.dumps(results, allow_nan=False), encoding="utf-8")


def read_coco_results(path):
    """Read results of one animal in each image."""
    with reading(path, "COCO's results"):
        results = json.loads(path.read_text(encoding="utf-8-sig"))
        if not isinstance(results, list):
            raise ValueError("it is no list of results")
        if not results:
            raise ValueError("it holds no results")
        results.sort(key=lambda result: result["image_id"])
        frames = np.array([result["image_id"] for result in results], dtype=np.int64)
        if len(np.unique(frames)) < len(frames):
            raise ValueError("it has several animals in an image, and does not tell which is whose")
        table = np.array([result["keypoints"] for result in results], dtype=np.float64)
        table = table.reshape(len(results), -1, 3)
        table[(table == 0).all(axis=2)] = np.nan
        return from_numpy(
            table[:, np.newaxis, :, :2],
            table[:, np.newaxis, :, 2],
            individuals=[ONLY_ONE],
            frames=frames,
        )
