from contextlib import contextmanager

import numpy as np
import pytest

from skpose import Skeleton
from skpose.datasets import write_annotations

NAMES = ["head", "wingL", "wingR", "tail"]


@pytest.fixture
def make_set(tmp_path):
    """Writes an annotation set of 6 images whose pixels are their number."""

    def make(name="set.h5", n_images=6, shape=(32, 48, 1)):
        X = np.empty((n_images, *shape), dtype=np.uint8)
        X[:] = np.arange(n_images).reshape(-1, 1, 1, 1)
        skeleton = Skeleton(
            NAMES, parents=[None, "head", "head", "head"], swaps=[None, "wingR", "wingL", None]
        )
        write_annotations(tmp_path / name, X, skeleton=skeleton)
        return tmp_path / name

    return make


@pytest.fixture
def path(make_set):
    return make_set()


@pytest.fixture
def serve():
    """Opens servers, and a client of each that has been let in."""
    httpx = pytest.importorskip("httpx")
    pytest.importorskip("starlette")
    pytest.importorskip("uvicorn")
    from skpose.annotate import LabelServer

    @contextmanager
    def serve(path, *, let_in=True, **options):
        with LabelServer(path, port=0, **options) as server:
            address = server.url.partition("/?")[0]
            with httpx.Client(base_url=address, follow_redirects=True, timeout=20) as client:
                if let_in:
                    assert client.get(server.url).status_code == 200
                yield server, client

    return serve
