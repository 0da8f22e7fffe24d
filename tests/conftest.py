import os
from pathlib import Path

import pytest


@pytest.fixture
def data_dir():
    """The folder of real data; the test is skipped where there is none."""
    path = os.environ.get("SKPOSE_DATA")
    if not path:
        pytest.skip("SKPOSE_DATA is not set: no real data to test on")
    return Path(path).absolute()
