import cv2
import numpy as np
from numpy.testing import assert_array_equal
import pytest

from skpose.annotate import _images
from skpose.annotate._images import EncodedImages


def decode(encoded):
    image = cv2.imdecode(np.frombuffer(encoded.content, np.uint8), cv2.IMREAD_UNCHANGED)
    return image[..., None] if image.ndim == 2 else image[..., ::-1]


def make(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, size=shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 400, 1), (40, 30, 3)])
def test_small_images_are_exact(shape):
    images = make((2, *shape))
    encoded = EncodedImages(lambda: images).encode(1)
    assert encoded.media_type == "image/png"
    assert_array_equal(decode(encoded), images[1])


@pytest.mark.parametrize("n_channels", [1, 3])
def test_large_images_are_nearly_right_and_their_parts_exact(n_channels):
    image = cv2.resize(make((30, 40, n_channels)), (1600, 1200)).reshape(1, 1200, 1600, n_channels)
    encode = EncodedImages(lambda: image).encode
    encoded = encode(0)
    assert encoded.media_type == "image/jpeg"
    assert np.abs(decode(encoded).astype(float) - image[0]).mean() < 2
    part = encode(0, (1400, 1100, 200, 100))
    assert part.media_type == "image/png"
    assert_array_equal(decode(part), image[0, 1100:, 1400:])


@pytest.mark.parametrize(
    ("index", "crop", "wrong"),
    [
        (2, None, "the images 0 to 1"),
        (0, (0, 0, 0, 5), "A part of an image"),
        (0, (0, 0, 31, 5), "inside of 30 x 40 px"),
        (0, (25, 0, 6, 5), "inside of 30 x 40 px"),
    ],
)
def test_what_is_not_there_is_told(index, crop, wrong):
    images = make((2, 40, 30, 1))
    with pytest.raises(ValueError, match=wrong):
        EncodedImages(lambda: images).encode(index, crop)


def test_parts_are_not_huge():
    images = np.zeros((1, 2000, 2000, 1), dtype=np.uint8)
    with pytest.raises(ValueError, match="1024 px a side"):
        EncodedImages(lambda: images).encode(0, (0, 0, 1025, 10))


def test_other_numbers_of_channels_are_refused():
    with pytest.raises(ValueError, match="1 or 3 channels, but these have 2"):
        EncodedImages(lambda: np.zeros((1, 4, 4, 2), dtype=np.uint8))


def test_what_was_asked_for_last_is_kept(monkeypatch):
    images = make((4, 20, 20, 1))
    monkeypatch.setattr(_images, "_CACHE", 1500)  # three images
    encoded = EncodedImages(lambda: images)
    first = encoded.encode(0)
    assert encoded.encode(0) is first
    for index in (1, 0, 2, 3):
        encoded.encode(index)
    assert encoded.encode(0) is first
    cache = encoded._cache
    assert cache._n_bytes == sum(len(kept.content) for kept in cache._files.values()) <= 1500
