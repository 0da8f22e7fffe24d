"""What is needed is said in setup.cfg; other lists of it must say the same."""

from configparser import ConfigParser
from pathlib import Path
import re

import yaml

ROOT = Path(__file__).parent.parent
SETUP = ConfigParser()
SETUP.read(ROOT / "setup.cfg")
EXTRAS = {name: value.split() for name, value in SETUP["options.extras_require"].items()}
NEEDED = SETUP["options"]["install_requires"].split()


def versions(requirements):
    """Return {name: versions} of requirements; OpenCV and matplotlib have more names than one."""
    found = {}
    for requirement in requirements:
        name, wanted = re.fullmatch(r"([\w-]+)(.*)", requirement.replace(" ", "")).groups()
        name = re.sub(r"^opencv.*", "opencv", name).removesuffix("-base")
        found[name] = wanted.removeprefix("==")
    return found


def test_all_is_what_the_other_extras_need():
    others = EXTRAS.keys() - {"all", "docs", "test", "test-browser", "dev"}
    assert set(EXTRAS["all"]) == {needed for name in others for needed in EXTRAS[name]}


def test_prediction_needs_no_other_versions():
    lines = (ROOT / "packaging" / "predict" / "requirements.txt").read_text().splitlines()
    needed = versions(line for line in lines if not line.startswith("#"))
    assert needed.items() <= versions(NEEDED + EXTRAS["onnx"]).items()
    assert "tensorflow" not in needed


def test_conda_recipe_needs_the_same():
    text = (ROOT / "packaging" / "conda" / "meta.yaml").read_text()
    text = re.sub(r"^{%.*%}$", "", text, flags=re.M).replace("{{ version }}", "0")
    recipe = yaml.safe_load(text.replace("{{ PYTHON }}", "python"))
    needed = versions(line for line in recipe["requirements"]["run"])
    assert needed.pop("python") == SETUP["options"]["python_requires"]
    assert needed == versions(NEEDED)


def test_version_is_said_once_more():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    recipe = (ROOT / "packaging" / "conda" / "meta.yaml").read_text()
    version = SETUP["metadata"]["version"]
    assert str(citation["version"]) == version
    assert f'version = "{version}"' in recipe
