"""What the pages in docs/ tell readers to type; Sphinx checks their links as it makes the site."""

from pathlib import Path
import re

import click
from helpers import small_estimator, write_video
import numpy as np
import pytest

import skpose
from skpose.cli import main

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "examples" / "from_video_to_poses.md"]
PAGES += [page for page in sorted(DOCS.rglob("*.md")) if "{include}" not in page.read_text()]


def snippets(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.S | re.M)


def name_of(page):
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A folder with the files that pages name, and what their variables are."""
    from skpose.datasets import make_poses, write_annotations
    from skpose.video_poses import predict_video

    folder = tmp_path_factory.mktemp("documentation")
    mice = make_poses(8, image_size=32, random_state=0, return_bunch=True)
    X, y = mice.images, mice.keypoints
    write_annotations(folder / "labels.h5", X, y, skeleton=mice.skeleton)
    write_video(folder / "mouse.mp4", np.repeat(X, 3, axis=3))
    estimator = small_estimator(skeleton=mice.skeleton).fit(X, y)
    skpose.save(estimator, folder / "mouse.skpose")
    estimator.export(folder / "mouse.onnx")
    predict_video(estimator, folder / "mouse.mp4", out=folder / "mouse.csv")
    return folder, {"X": X, "y": y, "frames": X}


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in PAGES if snippets(p, "python")], ids=name_of)
def test_python_runs_one_after_the_other(page, material, tmp_path, monkeypatch):
    folder, names = material
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    names = {**names, "__name__": "__main__"}
    for n, code in enumerate(snippets(page, "python")):
        if "PoseEstimator().fit(X, y)" in code:  # the first lines of all, which would take minutes
            compile(code, f"{page.name}, snippet {n}", "exec")
        else:
            exec(compile(code, f"{page.name}, snippet {n}", "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_their_options_exist(page):
    text = page.read_text()
    lines = "".join(snippets(page, "sh")).splitlines()
    lines += [" ".join(words.split()) for words in re.findall(r"`(skpose [^`]*)`", text)]
    for line in lines:
        for words in re.findall(r"(?:^|&& |-(?:predict|train) )skpose ([^&]*)", line):
            command, *arguments = words.split()
            if command.startswith("-"):
                continue
            known = {
                option
                for parameter in main.get_command(click.Context(main), command).params
                for option in parameter.opts + parameter.secondary_opts
            }
            used = {word for word in arguments if word.startswith("-")}
            assert used <= known, f"{line}: {used - known}"


def test_every_public_module_is_in_the_api():
    listed = re.findall(r"^   skpose\.(\w+)$", (DOCS / "api.rst").read_text(), flags=re.M)
    assert listed == sorted(skpose._SUBPACKAGES)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pages_that_are_linked_exist(page):
    for target in re.findall(r"\]\(([^)#]*)\)", page.read_text()):
        if not target.startswith("https://"):
            path = (page.parent / target).resolve()
            generated = DOCS / "examples" in path.parents
            assert path.exists() or generated, target
