import numpy as np
import pytest


def test_a_stream_is_an_array_of_frames():
    from scaling import Stream

    stream = Stream(1000, 16, every=100)
    assert stream.shape == (1000, 16, 16, 1)
    assert len(stream) == 1000
    assert stream[7].shape == (16, 16, 1)
    np.testing.assert_array_equal(stream[[3, 130]][1], stream[130])
    n_read = 1 + 2 + 1
    assert len(stream[n_read : n_read + 200]) == 200
    assert [round(n) for n, *_ in stream.samples] == [n_read + 200]


def test_files_hold_the_images(tmp_path):
    from scaling import drop_from_cache, make_images, write_lazily

    X, _ = make_images(5, 16, 2)
    for open_images, paths in write_lazily(X, tmp_path).values():
        drop_from_cache(paths)
        images = open_images()
        assert images.shape == X.shape
        np.testing.assert_array_equal(np.asarray(images[np.array([0, 3])]), X[[0, 3]])


def test_loss_is_of_throughput():
    from scaling import _compare_lazy

    times = {"in memory": np.array([1.0, 1.0]), "files": np.array([1.25, 1.25])}
    rows = _compare_lazy(times, {"in memory": 0.0, "files": 0.001})
    assert rows["in memory"]["loss_percent"] == 0
    assert rows["files"]["loss_percent"] == pytest.approx(20)  # 80 images in the time of 100
    assert rows["files"]["reading_ms_an_image"] == 1
