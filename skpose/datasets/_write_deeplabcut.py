"""DeepLabCut and Lightning Pose projects that are made of labels."""

from datetime import date

import numpy as np

from skpose._files import making_folder
from skpose.datasets._write_images import name_images, write_images
from skpose.poses import write_table

__all__ = ["write_deeplabcut", "write_lightning_pose"]

_SCORER = "skpose"
_ROOT = "labeled-data"
# What DeepLabCut asks for beside what a project is of, as its own projects have it at first.
_SETTINGS = {
    "start": 0,
    "stop": 1,
    "numframes2pick": 20,
    "skeleton_color": "black",
    "pcutoff": 0.6,
    "dotsize": 12,
    "alphavalue": 0.7,
    "colormap": "rainbow",
    "TrainingFraction": [0.95],
    "iteration": 0,
    "default_net_type": "resnet_50",
    "default_augmenter": "default",
    "snapshotindex": -1,
    "batch_size": 8,
    "cropping": False,
    "x1": 0,
    "x2": 640,
    "y1": 277,
    "y2": 624,
    "corner2move2": [50, 50],
    "move2corner": True,
}


def write_deeplabcut(path, labels, **_):
    """Write a DeepLabCut project: images, tables for each video, and ``config.yaml``."""
    names = name_images(labels)
    with making_folder(path) as folder:
        write_images(labels.images, names, folder / _ROOT)
        for video in dict.fromkeys(video for video, _ in names):
            rows = [row for row, name in enumerate(names) if name[0] == video]
            index = [(_ROOT, *names[row]) for row in rows]
            table = folder / _ROOT / video / f"CollectedData_{_SCORER}.csv"
            _write_csv(table, labels, rows, index)
            _write_hdf5(table.with_suffix(".h5"), labels, rows, index)
        _write_config(folder / "config.yaml", path, labels, names)


def write_lightning_pose(path, labels, **_):
    """Write a Lightning Pose project: images, and one table for all of them."""
    names = name_images(labels)
    with making_folder(path) as folder:
        write_images(labels.images, names, folder / _ROOT)
        index = [("/".join((_ROOT, *name)),) for name in names]
        _write_csv(folder / "CollectedData.csv", labels, range(len(names)), index)


def _write_csv(path, labels, rows, index):
    """Write the labels of some rows; `index` has a tuple of the columns that name each image."""
    import pandas as pd

    levels, columns = _columns(labels.skeleton)
    columns = pd.MultiIndex.from_product(columns, names=levels)
    # One column of names is no MultiIndex, which pandas gives a header row of its own.
    index = pd.MultiIndex.from_tuples(index) if len(index[0]) > 1 else [name for (name,) in index]
    pd.DataFrame(_values(labels, rows), index=index, columns=columns).to_csv(path)


def _write_hdf5(path, labels, rows, index):
    """Write the table that DeepLabCut trains from, which splits the images' paths itself."""
    levels, columns = _columns(labels.skeleton)
    values = _values(labels, rows)
    write_table(
        path,
        [(slice(None), values)],
        levels=levels,
        names=columns,
        index=np.array(["/".join(parts) for parts in index]),
        shape=values.shape,
        dtype=values.dtype,
    )


def _columns(skeleton):
    return ["scorer", "bodyparts", "coords"], [[_SCORER], list(skeleton.names), ["x", "y"]]


def _values(labels, rows):
    keypoints = np.asarray(labels.keypoints, dtype=np.float64)[rows]
    return keypoints.reshape(len(keypoints), -1)


def _write_config(path, project, labels, names):
    import yaml

    project = project.resolve()
    height, width = labels.images.shape[1:3]
    skeleton = labels.skeleton
    edges = [
        [skeleton.names[parent], name]
        for name, parent in zip(skeleton.names, skeleton.parents, strict=True)
        if parent >= 0
    ]
    videos = dict.fromkeys(video for video, _ in names)
    content = {
        "Task": project.name,
        "scorer": _SCORER,
        "date": f"{date.today():%b%d}",
        "multianimalproject": False,
        "identity": None,
        "project_path": str(project),
        "video_sets": {
            str(project / "videos" / f"{video}.mp4"): {"crop": f"0, {width}, 0, {height}"}
            for video in videos
        },
        "bodyparts": list(skeleton.names),
        "skeleton": edges,
        **_SETTINGS,
    }
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)
    path.write_text(text, encoding="utf-8")
