import os
from pathlib import Path
import sys

from helpers import NumberedVideo
import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # tests run side by side, and share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

# OpenVINO reports to its makers when it is imported, unless this is not installed.
sys.modules.setdefault("openvino_telemetry", None)


@pytest.fixture
def data_dir():
    """The folder of real data; the test is skipped where there is none."""
    path = os.environ.get("SKPOSE_DATA")
    if not path:
        pytest.skip("SKPOSE_DATA is not set: no real data to test on")
    return Path(path).absolute()


@pytest.fixture(scope="session")
def numbered():
    """Writes videos whose frames show their number, and reads it."""
    pytest.importorskip("av")
    return NumberedVideo()


@pytest.fixture(scope="session")
def video(tmp_path_factory, numbered):
    """An H.264 file of 60 frames with B-frames, a keyframe every 12."""
    return numbered.write(tmp_path_factory.mktemp("video") / "numbered.mp4")
