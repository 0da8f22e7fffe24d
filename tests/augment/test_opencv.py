import sys

import pytest

from skpose._opencv import import_opencv


def test_gives_opencv():
    assert import_opencv().__name__ == "cv2"


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)  # makes its import fail
    with pytest.raises(ImportError, match="pip install opencv-python-headless") as info:
        import_opencv()
    assert "import of cv2 halted" in str(info.value)
    assert info.value.name == "cv2"
