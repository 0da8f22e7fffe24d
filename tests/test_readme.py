from pathlib import Path
import re
import subprocess
import sys

from helpers import write_video
import numpy as np
import pytest

README = Path(__file__).parent.parent / "README.md"
SNIPPETS = re.findall(r"^```(\w+)\n(.*?)^```", README.read_text(), flags=re.S | re.M)


def _python(n):
    return [code for language, code in SNIPPETS if language == "python"][n]


@pytest.mark.slow
def test_python_snippets_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for n in (1, 2, 3):
        exec(compile(_python(n), f"README snippet {n}", "exec"), names)
    assert "(40, 13, 2) (40, 13)" in capsys.readouterr().out
    assert (tmp_path / "mouse.skpose").exists()


def test_first_snippet_is_valid_as_it_stands():
    compiled = compile(_python(0), "README snippet 0", "exec")
    assert {"X", "y", "frames", "PoseEstimator"} <= set(compiled.co_names)


def test_every_shell_command_is_one_that_exists(tmp_path):
    shell = "".join(code for language, code in SNIPPETS if language == "sh")
    commands = re.findall(r"(?:^|&& )skpose (\w+)", shell, flags=re.M)
    assert set(commands) == {"demo", "label", "train", "evaluate", "predict", "draw", "export"}
    named = re.findall(r"`skpose (\w+)`", README.read_text())
    commands += named
    for command in set(commands):
        run = subprocess.run(
            [sys.executable, "-m", "skpose", command, "--help"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"{command} [OPTIONS]" in run.stdout
    assert 'pip install ".[test]" && python -m pytest -q -n 2 -m "not clock" && ' in shell


@pytest.mark.slow
def test_command_line_snippet_runs(tmp_path, monkeypatch):
    from skpose.datasets import make_poses, write_annotations

    cv2 = pytest.importorskip("cv2")
    monkeypatch.chdir(tmp_path)
    animals = make_poses(6, image_size=32, random_state=0, return_bunch=True)
    for name in ("labels.h5", "more_labels.h5"):
        write_annotations(name, animals.images, animals.keypoints, skeleton=animals.skeleton)
    for i in (1, 2):
        cv2.imwrite(f"frame_{i}.png", animals.images[i])
    write_video("flies.mp4", np.repeat(animals.images, 3, axis=3))
    lines = [code for language, code in SNIPPETS if "skpose train" in code][0].splitlines()
    small = "--epochs 1 --batch-size 16 --seed 0 --set model__filters=4"
    for line in lines:
        arguments = line.split()[1:] + (small.split() if "train" in line else [])
        subprocess.run([sys.executable, "-m", "skpose", *arguments], check=True)
    assert len(np.genfromtxt("poses.csv", delimiter=",", skip_header=3)) == 2
    poses, again = (
        np.genfromtxt(name, delimiter=",", skip_header=3)
        for name in ("flies.csv", "flies_again.csv")
    )
    assert len(poses) == 6
    np.testing.assert_allclose(again, poses, atol=0.05)
    assert Path("flies_labelled.mp4").exists()


def test_pictures_exist():
    for path in re.findall(r"!\[.*?\]\((.*?)\)", README.read_text()):
        assert (README.parent / path).read_bytes().startswith(b"\x89PNG")
