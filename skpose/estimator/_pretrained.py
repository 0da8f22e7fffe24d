"""First weights from another model: its features, and its maps if they are the same ones."""

import numpy as np
from sklearn.base import clone

from skpose._predictor import Predictor
from skpose.saving import read

__all__ = ["Pretrained"]


class Pretrained:
    """What a model file has for a network that begins with it.

    Parameters
    ----------
    path : path-like
        A model file: a `PoseEstimator`, alone or behind other steps.

    Attributes
    ----------
    estimator : PoseEstimator
        The model.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it holds something else.
    """

    def __init__(self, path):
        self.path = path
        self.estimator = Predictor(read(path)).last
        if not hasattr(self.estimator, "architecture_"):
            raise ValueError(
                f"{path} holds a {type(self.estimator).__name__}; training can begin with the "
                "network of a PoseEstimator that was saved."
            )

    def adapt(self, settings):
        """Return settings for a network of the same layers, but for its maps.

        A depth that was left to the size of the images becomes that of the model.

        Parameters
        ----------
        settings : NetworkSettings
            Those that are wanted.

        Returns
        -------
        NetworkSettings

        Raises
        ------
        ValueError
            If the network would be another one.
        """
        theirs = self.estimator
        factor, their_factor = (
            targets.downsample_factor for targets in (settings.targets, theirs.targets_)
        )
        n_channels, their_channels = settings.image_shape[2], theirs.image_shape_[2]
        architecture = theirs.architecture_
        if "n_transitions" in architecture.get_params(deep=False):
            depth = round(np.log2(architecture.size_divisor(theirs.image_shape_, their_factor)))
            architecture = clone(architecture).set_params(n_transitions=depth)
        settings = settings.as_deep_as(architecture)
        changed = settings.architecture_differences(architecture)
        if n_channels != their_channels:
            changed.append(f"the number of channels ({n_channels}, not {their_channels})")
        if factor != their_factor:
            changed.append(f"targets__downsample_factor ({factor}, not {their_factor})")
        if changed:
            raise ValueError(
                f"The network of {self.path} is another one: {', '.join(changed)}. Set the "
                "parameters as they are there, or train without it."
            )
        return settings

    def blend(self, weights, settings):
        """Return the weights of a network with those of the model in place of random ones.

        Parameters
        ----------
        weights : list of ndarray
            Random ones.
        settings : NetworkSettings
            What the network was built from.

        Returns
        -------
        list of ndarray
        """
        from skpose.estimator._training import weight_shapes

        theirs = self.estimator.__getstate__()["_trained"]["weights"]
        names = list(settings.targets.map_names_)
        if names == list(self.estimator.targets_.map_names_):
            return theirs
        others = weight_shapes(settings, len(names) + 1)  # those of the maps are other ones then
        return [
            new if own.shape == shape else own
            for own, new, shape in zip(weights, theirs, others, strict=True)
        ]
