"""The network that is trained: images and keypoints go in, everything between is on the device."""

from weakref import WeakSet

import keras
from keras import ops

from skpose.estimator._backend import current_graph

__all__ = ["PoseNetwork"]

# After normalisation this grey is 0, which is what the convolutions see beyond an image's border.
_PADDING = 127.5

# The network itself learns maps of this height, as in DeepPoseKit. A step of Adam moves every
# weight by about the learning rate; maps of height 1 would jump about by as much as they are high,
# and a network of some hundred channels would not get beyond the mean map.
_SCALE = 255.0


class PoseNetwork(keras.Model):
    """A map-drawing network with its targets, its loss and its peak finder.

    Parameters
    ----------
    network : keras.Model
        Images to a list of maps, one tensor for each supervised stage; the last is the prediction.
    draw : skpose.layers.ConfidenceMapDrawing
        Keypoints to target maps.
    find : keras.layers.Layer
        Maps to keypoints with confidence.
    divisor : int
        The sides of the images are padded to a multiple of this.
    stride : int
        Pixels a cell of the maps.
    pixel_size : float
        Size of the images' pixels in pixels of the user's images; the keypoint error is given in
        the latter.
    """

    def __init__(self, network, draw, find, *, divisor, stride, pixel_size=1.0, dtype="float32"):
        super().__init__(dtype=dtype)
        self.network = network
        self.draw = draw
        self.find = find
        self.divisor = divisor
        self.stride = stride
        self.pixel_size = pixel_size
        self.error_tracker = keras.metrics.Mean(name="keypoint_error")
        self.graphs = WeakSet()  # in which its loss was traced
        self._emit_keypoint_maps = _without_other_maps(network, find.n_keypoints)

    def build(self, input_shape):
        self.built = True  # all that has weights is the network, which is built already

    def call(self, images, training=False):
        """Return the maps of every stage for images of any size, uint8 or float in 0..255."""
        return [ops.cast(maps, "float32") / _SCALE for maps in self._run(images, training)]

    def _run(self, images, training):
        """Return the network's own maps, without the cells of the padding."""
        stages = keras.tree.flatten(self.network(self._pad(images), training=training))
        return [self._crop(maps, images) for maps in stages]

    def _pad(self, images):
        height, width = images.shape[1:3]
        return ops.pad(
            ops.cast(images, "float32"),
            ((0, 0), (0, -height % self.divisor), (0, -width % self.divisor), (0, 0)),
            constant_values=_PADDING,
        )

    def _crop(self, maps, images):
        n_rows, n_columns = (-(-side // self.stride) for side in images.shape[1:3])
        return maps[:, :n_rows, :n_columns]

    def find_keypoints(self, images):
        """Return x, y and confidence, (n_samples, n_keypoints, 3), in pixels of these images."""
        maps = self._crop(self._emit_keypoint_maps(self._pad(images)), images)
        return self.find(ops.cast(maps, "float32") / _SCALE)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean squared error of each stage's maps, summed over stages; what is NaN is left out.

        The error is that of maps of height 255, so that it compares with DeepPoseKit's.
        """
        if (graph := current_graph()) is not None:
            self.graphs.add(graph)
        target, known = self.draw.draw(y)
        if sample_weight is not None:
            known = known * ops.cast(sample_weight, "float32")[:, None]
        # Every map has as many cells, so cells are summed before what is unknown is left out.
        total = ops.maximum(ops.sum(known), 1e-6) * (target.shape[1] * target.shape[2])
        loss = 0.0
        for maps in y_pred:
            squares = ops.sum(ops.square(target - maps), axis=(1, 2))
            loss = loss + ops.sum(known * squares) / total
        return loss * _SCALE**2

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Follow the mean distance of predicted from labelled keypoints, in the user's pixels.

        Keypoints that augmentation has moved out of the image cannot be found, and do not count.
        """
        peaks = self.find(y_pred[-1])
        height, width = self.draw.image_size
        # A comparison with NaN, which is what is not labelled, is false.
        end = ops.array([width - 0.5, height - 0.5], dtype=y.dtype)
        visible = ops.all(ops.logical_and(y > -0.5, y < end), axis=-1)
        offset = ops.where(visible[..., None], peaks[..., :2] - y, 0.0)
        distance = ops.sqrt(ops.sum(offset * offset, axis=-1)) * self.pixel_size
        weight = ops.cast(visible, "float32")
        if sample_weight is not None:
            weight = weight * ops.cast(sample_weight, "float32")[:, None]
        self.error_tracker.update_state(distance, sample_weight=weight)
        return self.get_metrics_result()


def _without_other_maps(network, n_keypoints):
    """Return a function that computes the keypoints' maps of images, and no maps of the graph.

    The keypoints' maps are the first ones of the network's last output. Only training needs those
    of the posture graph, which are half of the work of a network's last convolution. Where
    a network does not end with a convolution, all maps are computed, and the first are returned.
    """
    last = keras.tree.flatten(network.outputs)[-1]
    layer = next((layer for layer in network.layers if _is_convolution_to(last, layer)), None)
    if layer is None:
        maps = keras.Model(network.inputs, last)
        return lambda images: maps(images, training=False)[..., :n_keypoints]
    features = keras.Model(network.inputs, layer.input)

    def emit(images):
        kernel = ops.cast(layer.kernel, layer.compute_dtype)[..., :n_keypoints]
        maps = ops.conv(
            ops.cast(features(images, training=False), layer.compute_dtype),
            kernel,
            strides=layer.strides,
            padding=layer.padding,
            dilation_rate=layer.dilation_rate,
        )
        if layer.use_bias:
            maps = maps + ops.cast(layer.bias, layer.compute_dtype)[:n_keypoints]
        return maps

    return emit


def _is_convolution_to(tensor, layer):
    """Whether a layer gives a tensor by a convolution whose channels do not know of each other."""
    return (
        type(layer) is keras.layers.Conv2D  # a class of its own may do more than that
        and layer.activation is keras.activations.linear
        and layer.groups == 1
        and layer.data_format == "channels_last"
        and _gives(layer, tensor)
    )


def _gives(layer, tensor):
    try:
        return layer.output is tensor
    except (AttributeError, ValueError):  # it was applied more than once
        return False
