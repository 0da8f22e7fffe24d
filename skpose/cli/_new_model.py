"""What a training begins with: an estimator, what images go through before it, and labels."""

from skpose.cli._shared import LABEL_OPTIONS, read_labels, refuse, take_apart

__all__ = ["begin", "go_on"]


def begin(labels, model_file, options, say):
    """Return a new estimator, what images go through before it or None, and the labels."""
    import skpose

    path, first = options["pretrained"], None
    if options["two_stage"]:
        refuse({"--from"}, "to --two-stage: give --set fine__pretrained=MODEL")
    if path is not None:
        first, _ = take_apart(skpose.load(path), path, "can be begun with")
    n_channels = None if first is None else first.image_shape_[2]
    if options["grey"]:
        n_channels = 1
    of_labels = {name: options[name] for name in LABEL_OPTIONS}
    data = read_labels(labels, options["skeleton"], of_labels, n_channels=n_channels)
    if options["individuals"] == "each":
        say(
            "Each animal is a sample, so an image of several occurs several times, and nothing "
            "tells the network which to find: crop images to animals first (skpose.individuals)."
        )
    if options["two_stage"]:
        resizer = _make_resizer(data, 1.0, options["crop"], say)
        return _make_two_stages(data.skeleton, options["scale"]), resizer, data
    resizer = _make_resizer(data, options["scale"], options["crop"], say)
    return _make_estimator(data.skeleton, first, path), resizer, data


def go_on(labels, model_file, options, say):
    """Return the same of a model whose training goes on."""
    import skpose
    from skpose.two_stage import TwoStageEstimator

    before = skpose.load(model_file)
    of_labels = {name: options[name] for name in LABEL_OPTIONS}
    data = read_labels(labels, options["skeleton"], of_labels, before)
    estimator, resizer = take_apart(before, model_file, "goes on", kinds=(TwoStageEstimator,))
    return estimator.set_params(warm_start=True), resizer, data


def _make_estimator(skeleton, first, pretrained):
    """Return an estimator with the defaults, or the parameters of a model to begin with."""
    from sklearn.base import clone

    import skpose

    if first is None:
        return skpose.PoseEstimator(skeleton=skeleton)
    estimator = clone(first).set_params(
        skeleton=skeleton,
        pretrained=str(pretrained),
        max_epochs=None,
        max_minutes=None,
        n_iter_no_change=None,
        lr_schedule="cosine",
    )
    if estimator.targets is not None:
        estimator.set_params(targets__skeleton=None, targets__image_size=None)
    return estimator.set_params(warm_start=False, random_state=None)


def _make_two_stages(skeleton, scale):
    """Return an estimator of two, the second of which may see its crops smaller."""
    from sklearn.pipeline import make_pipeline

    from skpose.estimator import PoseEstimator
    from skpose.preprocessing import ImageResizer
    from skpose.two_stage import TwoStageEstimator

    fine = PoseEstimator(skeleton=skeleton)
    if scale is not None:
        fine = make_pipeline(ImageResizer(scale=scale), fine)
    return TwoStageEstimator(PoseEstimator(), fine)


def _make_resizer(data, scale, crop, say):
    """Return what images go through before the network sees them, None for as they are."""
    from skpose.preprocessing import ImageResizer

    resizer = ImageResizer(scale="auto" if scale is None else scale, region=crop)
    resizer.fit(data.images, data.keypoints)
    if crop == "auto":
        say(_tell_region(resizer.region_))
    if resizer.scale_ == 1 and resizer.region_ is None:
        return None
    height, width = resizer.transform(data.images).image_size
    say(
        f"The network sees images of {height} x {width} pixels (--scale {resizer.scale_:g})"
        f"{', as few as the labels allow' if scale in (None, 'auto') else ''}."
    )
    return resizer


def _tell_region(region):
    if region is None:
        return "The labels lie all over the images, so nothing is cut off."
    numbers = ",".join(map(str, region))
    return f"The network sees the part of the images where labels are (--crop {numbers})."
