import subprocess
import sys

import pytest

from skpose.plot._axes import format_pixels


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.0 px"), (0.034, "0.034 px"), (2.0, "2.0 px"), (9.96, "10.0 px"), (118.2, "118 px")],
)
def test_pixels_have_two_digits_that_count(value, text):
    assert format_pixels(value) == text


def test_import_loads_nothing_heavy():
    code = (
        "import sys, skpose.plot; "
        "print(sorted({'matplotlib', 'tensorflow', 'keras', 'cv2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
