"""How an estimator is kept: as a file, as a pickle, as an exported model."""

import multiprocessing

from sklearn.utils.validation import check_is_fitted

__all__ = ["StorageMixin"]


class StorageMixin:
    """Saving, exporting and pickling; a network that was read is built when it is needed."""

    @property
    def model_(self):
        """keras.Model: the trained network, images to the maps of each stage."""
        if "_network" not in vars(self) and "_saved_network" in vars(self):
            self._restore_network(**vars(self).pop("_saved_network"))
        try:
            return vars(self)["_network"]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no model_ before fit.") from None

    def _restore_network(self, weights, optimizer):
        from skpose.estimator._backend import prepare_process
        from skpose.estimator._training import compile_network, restore_optimizer

        prepare_process()
        self._network = self._build_network(seed=0, load_weights=False)
        self._network.network.set_weights(weights)
        compile_network(self._network, self.optimizer, self.learning_rate)
        restore_optimizer(self._network, optimizer)

    def save(self, path):
        """Write the estimator to one file, which `skpose.load` reads.

        The file is HDF5 without pickled objects. It holds the parameters, the skeleton, the
        weights, the state of the optimizer, the validation split and the history, so training can
        go on. A file that is already there is replaced as a whole.

        Parameters
        ----------
        path : str or path-like
            The file.
        """
        check_is_fitted(self)
        self._save(path, None)

    def export(self, path):
        """Write what `predict` does as an ONNX model, which other programs can run.

        `skpose.load` reads the file as a `skpose.runtime.ExportedPoseEstimator`, which predicts the
        same keypoints without TensorFlow, and single images faster. The model computes in float32,
        whatever `precision` is. It has one input,
        ``images``, uint8 of shape (n_samples, height, width, n_channels), with the image size of
        `fit`, and one output, ``keypoints``, float32 of shape (n_samples, n_keypoints, 3): x and y
        in pixels of the images, and the confidence. It cannot be trained any more: `save` the
        estimator too.

        Parameters
        ----------
        path : str or path-like
            The file, ending in ``.onnx``; replaced as a whole.

        Raises
        ------
        ImportError
            Without tf2onnx: ``pip install 'skpose[onnx]'``.
        RuntimeError
            If Keras runs on another backend than TensorFlow.
        ValueError
            If `path` ends otherwise.
        """
        from skpose.estimator._export import export_onnx

        check_is_fitted(self)
        export_onnx(self, path)

    def _save(self, path, weights):
        from skpose.estimator._model_file import write_model

        network = self._network_state()
        if weights is not None:
            network["weights"] = weights
        write_model(path, self, network)

    def _network_state(self):
        if "_network" not in vars(self):
            return dict(self._saved_network)
        return {
            "weights": self._network.network.get_weights(),
            "optimizer": [variable.numpy() for variable in self._network.optimizer.variables],
        }

    def __getstate__(self):
        state = dict(super().__getstate__())
        if "_network" in state:
            del state["_network"]
            state["_saved_network"] = self._network_state()
        if "_compiled" in state:
            state["_compiled"] = None
        return state

    def __reduce__(self):
        return _restore, (type(self),), self.__getstate__()


def _restore(cls):
    """Give an empty estimator; a parameter that is unpickled after it may start the backend."""
    if multiprocessing.parent_process() is not None:
        from skpose.estimator._backend import share_machine

        share_machine()
    return cls.__new__(cls)
