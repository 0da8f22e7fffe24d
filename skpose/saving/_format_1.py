"""Files of the first format, which held a PoseEstimator and nothing else."""

from skpose.targets import ConfidenceMaps

__all__ = ["upgrade"]

_HOMES = {"Augmenter": "augment", "ConfidenceMaps": "targets"}
_LEARNT = ("history_", "n_iter_", "best_epoch_", "_n_samples", "_unfinished")
_TARGETS_LEARNT = ("n_keypoints_", "image_size_", "map_size_", "map_names_", "n_maps_")


def upgrade(header, file):
    """Describe the estimator of an old file as a new one would.

    Parameters
    ----------
    header : dict
        Its description.
    file : h5py.File
        Where its arrays are.

    Returns
    -------
    tree, arrays
        What `decode` takes.
    """
    arrays = []

    def keep(value):
        arrays.append(value)
        return {"array": len(arrays) - 1}

    def keep_all(name):
        group = file.get(name, {})
        return [keep(group[str(i)][()]) for i in range(len(group))]

    settings = {
        "architecture": _convert(header["architecture"]),
        "targets": _fit_targets(_convert(header["targets"]), header["fitted"]["n_keypoints_"]),
        "image_shape": {"tuple": header["image_shape"]},
        "subpixel": header["fitted"]["subpixel_"],
        "precision": header["params"]["precision"],
        "pixel_size": header["fitted"]["_pixel_size"],
        "optimizer": _convert(header["params"]["optimizer"]),
        "learning_rate": header["params"]["learning_rate"],
    }
    trained = {
        "settings": _as_dict(settings),
        "weights": keep_all("weights"),
        "optimizer": keep_all("optimizer"),
    }
    learnt = {name: _convert(header["fitted"][name]) for name in _LEARNT}
    learnt |= {
        "validation_indices_": keep(file["validation_indices"][()]),
        "augmenters_": [],
        "_trained": _as_dict(trained),
    }
    params = {name: _convert(value) for name, value in header["params"].items()}
    tree = {"estimator": "skpose.estimator>PoseEstimator", "params": params, "learnt": learnt}
    return tree, arrays


def _as_dict(items):
    return {"dict": [[key, value] for key, value in items.items()]}


def _convert(node):
    if isinstance(node, list):
        return [_convert(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "class" in node:
        return {
            "estimator": f"skpose.{_HOMES.get(node['class'], 'models')}>{node['class']}",
            "params": {key: _convert(item) for key, item in node["params"].items()},
            "learnt": {},
        }
    ((kind, content),) = node.items()
    if kind == "dict":
        return _as_dict({key: _convert(item) for key, item in content.items()})
    return {kind: _convert(content)} if kind == "tuple" else node


def _fit_targets(node, n_keypoints):
    """Add what targets learn of the number of keypoints, which old files left out."""
    from skpose.saving._tree import decode

    targets = decode(node, [], {})
    if not isinstance(targets, ConfidenceMaps):
        raise KeyError("targets")
    targets.fit([[[0.0, 0.0]] * n_keypoints])
    learnt = {name: getattr(targets, name) for name in _TARGETS_LEARNT}
    node["learnt"] = {
        name: {"tuple": list(value)} if isinstance(value, tuple) else value
        for name, value in learnt.items()
    }
    return node
