"""What README promises works; its snippets of Python are run with those of the documentation."""

from pathlib import Path
import re
import subprocess
import sys

from helpers import write_video
import numpy as np
import pytest

README = Path(__file__).parent.parent / "README.md"
SNIPPETS = re.findall(r"^```(\w+)\n(.*?)^```", README.read_text(), flags=re.S | re.M)


def test_first_snippet_is_valid_as_it_stands():
    code = next(code for language, code in SNIPPETS if language == "python")
    compiled = compile(code, "README snippet 0", "exec")
    assert {"X", "y", "frames", "PoseEstimator"} <= set(compiled.co_names)


def test_two_commands_install_and_run():
    shell = "".join(code for language, code in SNIPPETS if language == "sh")
    assert "pip install . && skpose demo\n" in shell
    assert 'pip install ".[test]" && python -m pytest -q -n 2 -m "not clock" && ' in shell


@pytest.mark.slow
def test_command_line_snippet_runs(tmp_path, monkeypatch):
    from skpose.datasets import make_poses, write_annotations

    monkeypatch.chdir(tmp_path)
    mice = make_poses(6, image_size=32, random_state=0, return_bunch=True)
    write_annotations("mouse.h5", mice.images, mice.keypoints, skeleton=mice.skeleton)
    write_video("mouse.mp4", np.repeat(mice.images, 3, axis=3))
    lines = [code for language, code in SNIPPETS if "skpose train" in code][0].splitlines()
    assert [line.split()[1] for line in lines] == ["train", "evaluate", "predict", "draw"]
    small = "--epochs 1 --batch-size 16 --seed 0 --set model__filters=4"
    for line in lines:
        arguments = line.split()[1:] + (small.split() if "train" in line else [])
        subprocess.run([sys.executable, "-m", "skpose", *arguments], check=True)
    assert len(np.genfromtxt("mouse.csv", delimiter=",", skip_header=3)) == 6
    assert Path("mouse_drawn.mp4").exists()


def test_pictures_exist():
    for path in re.findall(r"!\[.*?\]\((.*?)\)", README.read_text()):
        assert (README.parent / path).read_bytes().startswith(b"\x89PNG")
