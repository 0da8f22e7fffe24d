"""``skpose info``: what is in a file."""

from collections import Counter
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path
import textwrap

import click
import numpy as np

from skpose._files import begins_with, holds_hdf5
from skpose.cli._shared import pairs_text, parts_of

_POSES = {".csv", ".npz", ".nc", ".nwb"}
_WIDTH = 80


@click.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
def info(file):
    """Say what is in FILE: a model, labels, or poses."""
    kind, rows = _describe(file)
    click.echo(f"{file}: {kind}{_size_of(file)}")
    rows = {**rows, "sha256": _digest(file)}
    width = max(len(name) for name in rows) + 2
    for name, value in rows.items():
        if value:
            lines = textwrap.wrap(str(value), _WIDTH - width - 2)
            click.echo(f"  {name:{width}}{(chr(10) + ' ' * (width + 2)).join(lines)}")


def _describe(path):
    kind = kind_of(path)
    if kind == "model":
        return _describe_model(path)
    if kind == "poses":
        return kind, _describe_poses(path)
    return kind, _describe_labels(path, is_set=kind == "annotation set")


def kind_of(path):
    """Tell what a file holds from its name and its first names inside."""
    from skpose._sleap_files import holds_training, is_analysis

    if not path.is_file() or holds_hdf5(holds_training)(path):
        return "labels"
    if path.suffix == ".onnx" or holds_hdf5(lambda file: "skpose_format" in file.attrs)(path):
        return "model"
    if holds_hdf5(lambda file: "annotations" in file)(path):
        return "annotation set"
    if path.suffix.lower() == ".json" and begins_with(b"[")(path):
        return "labels" if _is_label_studio(path) else "poses"  # COCO's results
    if holds_hdf5(is_analysis)(path):
        return "poses"  # what SLEAP exports
    is_labels = path.name.startswith("CollectedData")  # DeepLabCut's
    has_table = holds_hdf5(lambda file: "df_with_missing" in file)
    is_table = path.suffix.lower() in _POSES or has_table(path)
    return "poses" if is_table and not is_labels else "labels"


def _is_label_studio(path):
    from skpose.datasets import find_format

    with suppress(ValueError):
        return find_format(path) == "labelstudio"
    return False


def _describe_model(path):
    import skpose
    from skpose._predictor import Predictor
    from skpose.saving import versions_of

    model = skpose.load(path)
    predictor = Predictor(model)
    last, steps = predictor.last, predictor.steps
    rows = {"steps before": ", ".join(map(_repr_of, steps))}
    if hasattr(last, "measure_coverage"):
        rows |= _coverage_of(last)
    for name, part in parts_of(last).items():
        if hasattr(part, "architecture_"):
            rows |= {f"{name}{key}": text for key, text in _training_of(part).items()}
    if getattr(last, "n_bits_", 32) < 32:
        rows["network"] = f"in {last.n_bits_} bits"
    shape = getattr(last, "image_shape_", None)
    if shape is not None:
        rows["network sees"] = _image_text(shape)
    rows["bodyparts"] = _names_text(predictor.skeleton, predictor.n_keypoints)
    if path.suffix != ".onnx":
        versions = versions_of(path)
        rows["written by"] = ", ".join(f"{name} {number}" for name, number in versions.items())
    return type(last).__name__, rows


def _coverage_of(estimator):
    """Say what the radii of a calibrated estimator hold."""
    is_within, radius = estimator.measure_coverage(estimator.coverage)
    return {
        "radius": f"holds {estimator.coverage:.0%} of the true positions; measured "
        f"{np.nanmean(is_within):.0%}, {np.nanmedian(radius):.3g} px in the median",
        "confidence": f"is the probability of an error within {estimator.within_:.3g} px",
    }


def _training_of(estimator):
    """Describe the network of a PoseEstimator and how it was trained."""
    history, best = estimator.history_, estimator.best_epoch_
    trained = f"{estimator.n_iter_} epochs, {estimator.minutes_:.1f} minutes"
    if best is not None:
        trained += f"; kept is epoch {best + 1}"
        error = history.get("val_keypoint_error", [np.nan] * (best + 1))[best]
        trained += f", with an error of {error:.2f} px in the images kept back"
    images = ""
    if estimator.training_digests_ is not None:
        n_training, n_kept = len(estimator.training_digests_), len(estimator.validation_digests_)
        images = f"{n_training} images, {n_kept} kept back"
    defaults = type(estimator)().get_params(deep=False)
    own = {
        name: value
        for name, value in estimator.get_params(deep=False).items()
        if name != "skeleton" and repr(value) != repr(defaults[name])
    }
    return {
        "network": f"{_repr_of(estimator.architecture_)}, {estimator.precision_}",
        "trained": trained,
        "trained on": images,
        "parameters": ", ".join(f"{name}={_repr_of(value)}" for name, value in own.items()),
    }


def _describe_labels(path, *, is_set):
    from skpose.datasets import read_annotations, read_labels

    data = read_annotations(path, frames="all") if is_set else read_labels(path)
    labelled = np.isfinite(data.keypoints[..., 0])
    counts = {
        "occluded": (data.visibility == 1).sum(),
        "looked for in vain": (data.visibility == -1).sum(),
    }
    if is_set:
        counts["guesses"] = (~np.isnan(data.confidence)).sum()
    others = "".join(f", {n} {name}" for name, n in counts.items() if n)
    groups = data.get("groups")
    videos = data.get("videos", groups)
    names = [] if videos is None else sorted({str(name) for name in videos if str(name)})
    return {
        "images": f"{len(data.images)}, {_image_text(data.images.shape[1:])}",
        "labelled": f"{labelled.any(axis=1).sum()} images, {labelled.sum()} of {labelled.size} "
        f"keypoints{others}",
        "labelled by": _people_text(data.get("annotators")),
        "bodyparts": _names_text(data.skeleton, len(data.skeleton)),
        "videos": f"{len(names)}: {', '.join(names)}" if names else "",
    }


def _people_text(annotators):
    """Say how many keypoints each person has labelled, as far as it is known."""
    counts = Counter([] if annotators is None else annotators.ravel().tolist())
    del counts[""]
    return ", ".join(f"{name} ({n} keypoints)" for name, n in counts.most_common())


def _describe_poses(path):
    from skpose.poses import read_poses

    poses = read_poses(path)
    position, confidence = poses["position"].values, poses["confidence"].values
    frames = poses["frame"].values
    found = np.isfinite(position).all(axis=1).mean() if position.size else 0.0
    span = f", from {frames[0]} to {frames[-1]}" if len(frames) else ""
    rows = {"frames": f"{len(frames)}{span}"}
    if poses.sizes["individual"] > 1:
        rows["individuals"] = ", ".join(map(str, poses["individual"].values))
    rows["bodyparts"] = f"{poses.sizes['keypoint']}: {', '.join(poses['keypoint'].values)}"
    rows["found"] = f"{found:.1%} of the keypoints"
    if np.isfinite(confidence).any():
        rows["confidence"] = f"{np.nanmean(confidence):.2f} in the mean"
    return rows


def _names_text(skeleton, n_keypoints):
    if skeleton is None:
        return f"{n_keypoints}, without names"
    names = skeleton.names
    pairs = pairs_text(skeleton)
    partners = f"; partners are {pairs}" if pairs else ""
    return f"{len(names)}: {', '.join(names)}{partners}"


def _image_text(shape):
    height, width, n_channels = shape
    return f"{height} x {width} pixels, {'grey' if n_channels == 1 else 'colour'}"


def _repr_of(value):
    return " ".join(repr(value).split())


def _size_of(path):
    if not path.is_file():
        return ""
    n_bytes = path.stat().st_size
    for unit in ("bytes", "kB", "MB"):
        if n_bytes < 1000:
            return f", {n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f", {n_bytes:.3g} GB"


def _digest(path):
    if not path.is_file():
        return ""
    with open(path, "rb") as file:
        return file_digest(file, "sha256").hexdigest()
