"""An exported estimator as an estimator of scikit-learn."""

import os
from pathlib import Path
from threading import RLock
from typing import Any, Literal, Self, overload

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from skpose._predictor import KeypointRegressorMixin, find_in_batches
from skpose._types import Images, PathLike
from skpose.base import StrOptions
from skpose.preprocessing import ImageBatch, ImageResizer
from skpose.runtime._engines import choose_engine, choose_providers
from skpose.runtime._onnxruntime import read_description, start_onnxruntime
from skpose.runtime._openvino import start_openvino
from skpose.skeleton import Skeleton

__all__ = ["ExportedPoseEstimator"]


class ExportedPoseEstimator(KeypointRegressorMixin, BaseEstimator):
    """Predict with a file that `PoseEstimator.export` wrote.

    It predicts the same keypoints as the estimator that was exported, and takes its place wherever
    only predictions are needed: as the last step of a Pipeline, in `predict_video`, in
    `PoseStream`, in ``skpose predict``. Neither TensorFlow nor Keras is loaded.

    Parameters
    ----------
    path : str or path-like
        The file, which ends in ``.onnx``.
    engine : {"onnxruntime", "openvino", "tensorrt", "auto"}, default="onnxruntime"
        What runs the network. "openvino" is the faster one on a processor, and takes a second
        longer to start. "onnxruntime" takes a GPU where ``onnxruntime-gpu`` is installed and finds
        one; "tensorrt" is that with NVIDIA's TensorRT, which takes minutes to prepare a network.
        "auto": the fastest that is installed, but not "tensorrt". Nothing of it was measured on a
        GPU yet.
    precision : {"float32", "bfloat16"}, default="float32"
        What the network computes in. "bfloat16" needs "openvino" and a processor that has it, where
        it is nearly twice as fast; keypoints move by some hundredths of a pixel, and by more where
        the network is in doubt.

    Attributes
    ----------
    n_keypoints_ : int
        Number of keypoints.
    image_shape_ : tuple of (height, width, n_channels)
        Shape of the images that can be predicted.
    n_bits_ : int
        What the convolutions compute in: 32, or 8 where it was calibrated.
    skeleton : Skeleton or None
        That of the estimator that was exported.

    Raises
    ------
    ImportError
        At the first use, if the engine is not installed: ``pip install 'skpose[onnx]'``, or
        ``'skpose[openvino]'``.
    FileNotFoundError
        At the first use, if there is no such file.
    ValueError
        At the first use, if the file was not written by `PoseEstimator.export`, was changed or
        damaged since, "bfloat16" is asked of another engine than "openvino", or there is no
        TensorRT.

    See Also
    --------
    skpose.load : Reads files of either kind.

    Notes
    -----
    The engine takes as many threads as the environment variable ``OMP_NUM_THREADS`` says, or all
    cores. Of the images that go through the network at a time, OpenVINO takes eight at once, and
    the rest one by one. Both engines report to their makers that they are
    used; that is switched off before they are imported.

    A pickle holds the model itself, so workers on other machines need no file.

    Examples
    --------
    >>> import skpose
    >>> from skpose.datasets import make_poses
    >>> from skpose.models import ResidualUNet
    >>> X, y = make_poses(8, image_size=32, random_state=0)
    >>> estimator = skpose.PoseEstimator(ResidualUNet(4), max_epochs=1, random_state=0).fit(X, y)
    >>> estimator.export("mouse.onnx")
    >>> skpose.load("mouse.onnx").predict(X).shape == y.shape
    True
    """

    _parameter_constraints: dict = {
        "path": [str, os.PathLike],
        "engine": [StrOptions({"onnxruntime", "openvino", "tensorrt", "auto"})],
        "precision": [StrOptions({"float32", "bfloat16"})],
    }

    # A file's path and content, and the engine that runs it, once they are needed.
    _model: tuple[PathLike, bytes] | None = None
    _session: Any = None
    _lock = RLock()  # of all: an engine takes all cores while it starts

    def __init__(
        self,
        path: PathLike,
        *,
        engine: Literal["onnxruntime", "openvino", "tensorrt", "auto"] = "onnxruntime",
        precision: Literal["float32", "bfloat16"] = "float32",
    ) -> None:
        self.path = path
        self.engine = engine
        self.precision = precision

    @classmethod
    def from_bytes(cls, content: bytes, name: PathLike) -> Self:
        """Make an estimator of a file that was read, which need not exist any more.

        Parameters
        ----------
        content : bytes
            What the file holds.
        name : str or path-like
            What it is called in messages.

        Returns
        -------
        ExportedPoseEstimator
            With `name` as its `path`.

        Examples
        --------
        >>> from skpose.runtime import ExportedPoseEstimator
        >>> ExportedPoseEstimator.from_bytes(b"...", "mouse.onnx").path
        'mouse.onnx'
        """
        estimator = cls(name)
        estimator._model = name, content
        return estimator

    def fit(self, X: Any = None, y: Any = None) -> Self:
        """Read the file. Nothing is learned: the network is trained already.

        `predict` does the same where it has not been done.

        Parameters
        ----------
        X, y : ignored
            For use in a Pipeline.

        Returns
        -------
        self : ExportedPoseEstimator
        """
        self._validate_params()
        if Path(self.path).is_file():  # an unpickled estimator has its model, and may have no file
            self._model = self._session = None
        self._open()
        return self

    @overload
    def predict(
        self, X: Images, *, return_confidence: Literal[False] = False, batch_size: int | None = None
    ) -> NDArray[np.float64]: ...

    @overload
    def predict(
        self, X: Images, *, return_confidence: Literal[True], batch_size: int | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...

    def predict(
        self, X: Images, *, return_confidence: bool = False, batch_size: int | None = None
    ) -> NDArray[np.float64] | tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Find the bodyparts in images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, n_channels)
            uint8 images, of the size that the estimator, or the Pipeline with it, was fitted on.
        return_confidence : bool, default=False
            Whether to give the confidences too.
        batch_size : int, default=None
            How many images go through the network at a time. None: a number that is fast.

        Returns
        -------
        y : ndarray of shape (n_samples, n_keypoints, 2)
            (x, y) in pixels of X; never NaN.
        confidence : ndarray of shape (n_samples, n_keypoints)
            Height of each peak, 0..1; only with `return_confidence`.
        """
        session = self._open()
        batch = ImageBatch.wrap(X, n_channels=self.image_shape_[2])
        if batch.shape[1:3] != self.image_shape_[:2]:
            height, width = self.image_shape_[:2]
            raise ValueError(
                f"{self.path} takes images of {height} x {width} pixels (height, width), but these "
                f"are {batch.shape[1]} x {batch.shape[2]}. Crop or resize them in a Pipeline, or "
                "use the estimator itself, which takes any size."
            )
        network_size = tuple(session.description["network_size"])
        region = self.region_
        if region is not None or network_size != batch.image_size:
            batch = ImageResizer(image_size=network_size, region=region).transform(batch)
        keypoints, confidence = find_in_batches(
            session.run, batch, self.n_keypoints_, batch_size=batch_size
        )
        return (keypoints, confidence) if return_confidence else keypoints

    @property
    def region_(self) -> tuple[int, int, int, int] | None:
        """tuple of int or None: (x, y, width, height) of what it sees of the images; None: all."""
        region = self._describe("region")
        return None if region is None else tuple(region)

    @property
    def n_keypoints_(self) -> int:
        """int: number of keypoints."""
        return self._describe("n_keypoints")

    @property
    def image_shape_(self) -> tuple[int, int, int]:
        """tuple of (height, width, n_channels): shape of the images that can be predicted."""
        return tuple(self._describe("image_shape"))

    @property
    def n_bits_(self) -> int:
        """int: what the convolutions compute in, 32 or 8 bits."""
        return self._describe("n_bits")

    @property
    def skeleton(self) -> Skeleton | None:
        """Skeleton or None: that of the estimator that was exported."""
        skeleton = self._describe("skeleton")
        return None if skeleton is None else Skeleton.from_dict(skeleton)

    def read(self) -> bytes:
        """Return what the file holds, once it was read.

        Returns
        -------
        content : bytes
            The ONNX model.
        """
        if self._model is None or self._model[0] != self.path:
            if not Path(self.path).is_file():
                raise FileNotFoundError(f"There is no exported estimator {self.path}.")
            self._model = self.path, Path(self.path).read_bytes()
        return self._model[1]

    def fingerprint(self) -> str:
        """Return a text that is the same for estimators that predict the same.

        Returns
        -------
        fingerprint : str
        """
        engine = choose_engine(self.engine, self.precision)
        return joblib.hash([self.read(), engine, self.precision])

    def _describe(self, key):
        try:
            return self._open().description[key]
        except (ImportError, OSError, ValueError) as error:
            # What looks at an estimator, such as a notebook, expects this of what is not there.
            raise AttributeError(str(error)) from error

    def _open(self):
        """Read the file and start the engine, unless that was done."""
        settings = (self.path, self.engine, self.precision)
        session = self._session
        if session is not None and session.settings == settings:
            return session
        with self._lock:
            if self._session is None or self._session.settings != settings:
                self._validate_params()
                self._session = _Session(self.read(), *settings)
            return self._session

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_model": (self.path, self.read()), "_session": None}

    def __sklearn_clone__(self):
        copy = type(self)(**self.get_params())
        copy._model = self._model  # where it was unpickled there may be no file
        return copy

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


class _Session:
    """A model that an engine has read."""

    def __init__(self, content, path, engine, precision):
        self.settings = path, engine, precision
        engine = choose_engine(engine, precision)
        if engine != "openvino" and precision != "float32":
            raise ValueError(
                f"{engine} computes in float32. For precision={precision!r} give engine='openvino'."
            )
        providers = None if engine == "openvino" else choose_providers(engine)
        session = start_onnxruntime(content, path, providers)
        self.description = read_description(session, content, path)
        if providers is None:
            self.run = start_openvino(content, precision)
        else:
            self.run = lambda images: session.run(None, {"images": images})[0]
