import pickle
import struct
import subprocess
import sys
from zlib import crc32

import cv2
import numpy as np
from PIL import Image, JpegImagePlugin, PngImagePlugin
import pytest

from skpose.datasets import ImageFiles


def random_images(n_samples=3, height=6, width=8, n_channels=3, dtype=np.uint8):
    shape = (n_samples, height, width, n_channels)
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


def write_png(path, image):
    """Write an RGB or grey image, without the file system's part of OpenCV."""
    image = image[..., ::-1] if image.shape[-1] == 3 else image
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return path


def write_all(folder, images):
    return [write_png(folder / f"{i}.png", image) for i, image in enumerate(images)]


@pytest.mark.parametrize("n_channels", [1, 3])
def test_png_files_are_read_exactly(tmp_path, n_channels):
    images = random_images(n_channels=n_channels)
    X = ImageFiles(write_all(tmp_path, images))
    assert X.shape == images.shape
    assert X.dtype == np.uint8
    np.testing.assert_array_equal(X[1], images[1], strict=True)
    np.testing.assert_array_equal(X[[2, 0]], images[[2, 0]], strict=True)
    np.testing.assert_array_equal(np.asarray(X), images, strict=True)


def test_channels_are_red_green_blue(tmp_path):
    red = np.zeros((1, 16, 16, 3), dtype=np.uint8)
    red[..., 0] = 200
    jpeg = tmp_path / "red.jpg"
    jpeg.write_bytes(cv2.imencode(".jpg", red[0, ..., ::-1])[1].tobytes())
    for paths in (write_all(tmp_path, red), [jpeg]):
        np.testing.assert_allclose(ImageFiles(paths)[0, 8, 8], [200, 0, 0], atol=2)


def test_grey_stored_as_rgb_is_read_as_grey(tmp_path):
    grey = random_images(n_channels=1)
    X = ImageFiles(write_all(tmp_path, np.repeat(grey, 3, axis=3)), n_channels=1)
    assert X.shape == grey.shape
    np.testing.assert_array_equal(np.asarray(X), grey)


def test_grey_can_be_read_as_rgb(tmp_path):
    grey = random_images(n_channels=1)
    X = ImageFiles(write_all(tmp_path, grey), n_channels=3)
    np.testing.assert_array_equal(np.asarray(X), np.repeat(grey, 3, axis=3))


def test_alpha_channel_is_dropped(tmp_path):
    rgba = random_images(n_channels=4)[0]
    path = tmp_path / "a.png"
    path.write_bytes(cv2.imencode(".png", rgba)[1].tobytes())
    np.testing.assert_array_equal(ImageFiles([path])[0], rgba[..., 2::-1])


def test_names_beyond_ascii(tmp_path):
    folder = tmp_path / "Mäuse 鼠"
    folder.mkdir()
    image = random_images(1)[0]
    np.testing.assert_array_equal(ImageFiles([write_png(folder / "é.png", image)])[0], image)


def test_selection_has_its_own_paths(tmp_path):
    paths = write_all(tmp_path, random_images())
    X = ImageFiles(paths).select([2, 0])
    assert X.paths == [str(paths[2]), str(paths[0])]


def test_pickle_holds_paths_and_no_pixels(tmp_path, monkeypatch):
    images = random_images(height=32, width=32)
    write_all(tmp_path, images)
    monkeypatch.chdir(tmp_path)
    X = ImageFiles(["0.png", "1.png", "2.png"])
    X[0]
    pickled = pickle.dumps(X)
    monkeypatch.chdir("/")
    assert len(pickled) < images.nbytes / 4
    np.testing.assert_array_equal(np.asarray(pickle.loads(pickled)), images)


def test_missing_files_are_named_at_once(tmp_path):
    paths = write_all(tmp_path, random_images(2))
    with pytest.raises(FileNotFoundError, match=r"1 of 3 image files do not exist: .*gone\.png"):
        ImageFiles([*paths, tmp_path / "gone.png"])


def test_file_that_vanished_later_is_named(tmp_path):
    paths = write_all(tmp_path, random_images(2))
    X = ImageFiles(paths)
    paths[1].unlink()
    with pytest.raises(FileNotFoundError, match=r"1\.png"):
        X[1]


def empty(encoded):
    return b""


def text(encoded):
    return b"not an image"


def half(encoded):
    return encoded[: len(encoded) // 2]


@pytest.mark.parametrize("damage", [empty, text, half])
def test_damaged_file_is_named(tmp_path, damage):
    paths = write_all(tmp_path, random_images(2, 32, 32))
    X = ImageFiles(paths)
    paths[1].write_bytes(damage(paths[1].read_bytes()))
    with pytest.raises(ValueError, match=r"1\.png cannot be read as an image"):
        X[:]


@pytest.mark.parametrize("ending", ["tif", "webp", "png", "gif"])
def test_file_of_several_images_is_refused(tmp_path, ending):
    first, *others = [Image.fromarray(np.full((8, 8), i * 40, np.uint8)) for i in range(5)]
    path = tmp_path / f"stack.{ending}"
    first.save(path)
    assert ImageFiles([path]).shape[:3] == (1, 8, 8)
    first.save(path, save_all=True, append_images=others)
    with pytest.raises(ValueError, match=rf"stack\.{ending} holds 5 images.* file of its own"):
        ImageFiles([path])


def test_huge_image_is_refused_before_it_is_decoded(tmp_path):
    def chunk(name, content):
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", crc32(checked))

    size = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    path = tmp_path / "huge.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", b""))
    with pytest.raises(ValueError, match=r"huge\.png is too large for an image of a video"):
        ImageFiles([path])


def test_file_of_16_bits_is_refused(tmp_path):
    path = write_png(tmp_path / "deep.png", random_images(1, n_channels=1, dtype=np.uint16)[0])
    with pytest.raises(ValueError, match=r"deep\.png is a uint16 image"):
        ImageFiles([path])


def test_file_of_another_size_is_named_with_the_way_out(tmp_path):
    paths = write_all(tmp_path, random_images(2))
    large = write_png(tmp_path / "large.png", random_images(1, 9, 7)[0])
    X = ImageFiles([*paths, large])
    with pytest.raises(ValueError, match=r"large\.png is 9 x 7 .*0\.png is 6 x 8.*image_size="):
        X[2]


def test_smaller_images_are_filled_up_at_bottom_and_right(tmp_path):
    small, large = random_images(1, 4, 8)[0], random_images(1, 6, 5)[0]
    paths = [write_png(tmp_path / "s.png", small), write_png(tmp_path / "l.png", large)]
    X = ImageFiles(paths, image_size=(6, 8))
    assert X.shape == (2, 6, 8, 3)
    np.testing.assert_array_equal(X[0, :4], small)
    np.testing.assert_array_equal(X[1, :, :5], large)
    assert not X[0, 4:].any()
    assert not X[1, :, 5:].any()
    with pytest.raises(ValueError, match=r"l\.png is 6 x 5 .*larger than image_size=\(5, 8\)"):
        ImageFiles(paths, image_size=(5, 8))[1]


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_the_largest_size_is_read_from_the_heads(tmp_path, orientation, ending, monkeypatch):
    wide = write_png(tmp_path / "wide.png", random_images(1, 4, 9)[0])
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = tmp_path / f"photo.{ending}"
    Image.fromarray(random_images(1, 17, 5)[0]).save(photo, exif=exif)
    decoded = ImageFiles([photo])[0].shape  # turned as it is shown
    with monkeypatch.context() as patched:
        for plugin in (PngImagePlugin.PngImageFile, JpegImagePlugin.JpegImageFile):
            patched.setattr(plugin, "load", lambda self: 1 / 0)
        X = ImageFiles([wide, photo], image_size="largest")
    assert X.shape == (2, max(decoded[0], 4), max(decoded[1], 9), 3)
    assert X[1][: decoded[0], : decoded[1]].any(axis=2).mean() > 0.8


def test_a_damaged_file_is_named_where_the_largest_is_looked_for(tmp_path):
    paths = write_all(tmp_path, random_images(1))
    (tmp_path / "cut.png").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"cut\.png cannot be read as an image"):
        ImageFiles([*paths, tmp_path / "cut.png"], image_size="largest")


def test_mixed_channels_need_a_decision(tmp_path):
    colour, grey = random_images(1)[0], random_images(1, n_channels=1)[0]
    paths = [write_png(tmp_path / "c.png", colour), write_png(tmp_path / "g.png", grey)]
    with pytest.raises(ValueError, match=r"g\.png has 1 channel\(s\).*n_channels=1"):
        ImageFiles(paths)[1]
    np.testing.assert_array_equal(ImageFiles(paths, n_channels=1)[1], grey)


def test_wrong_arguments(tmp_path):
    paths = write_all(tmp_path, random_images(1))
    with pytest.raises(TypeError, match="must be a sequence of files"):
        ImageFiles(paths[0])
    with pytest.raises(ValueError, match="paths must name at least one"):
        ImageFiles([])
    with pytest.raises(ValueError, match="n_channels must be 1, 3 or None"):
        ImageFiles(paths, n_channels=4)
    with pytest.raises(ValueError, match="image_size must be"):
        ImageFiles(paths, image_size=(0, 3))


def test_importing_the_package_does_not_load_opencv():
    code = "import sys, skpose.datasets; assert 'cv2' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.data
def test_frames_of_a_real_project(data_dir):
    paths = sorted((data_dir / "openfield" / "labeled-data" / "m4s1").glob("*.png"))
    colour, grey = ImageFiles(paths), ImageFiles(paths, n_channels=1)
    assert colour.shape == (116, 480, 640, 3)
    np.testing.assert_array_equal(colour[40], np.repeat(grey[40], 3, axis=2))
