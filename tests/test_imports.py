import ast
from pathlib import Path
import re
import subprocess
import sys

import pytest

import skpose

PACKAGE = Path(skpose.__file__).parent
# A module imports only from those before it; names on one line may use each other.
WAY = [
    {"_types"},
    {
        "_background",
        "_batching",
        "_boxes",
        "_checks",
        "_digests",
        "_files",
        "_hdf5",
        "_interrupts",
        "_label_formats",
        "_messages",
        "_text_tables",
        "_opencv",
        "_palette",
        "_threads",
    },
    {"base", "skeleton"},
    {"_lazy_array", "_sleap_files"},
    {"_progress"},
    {"poses", "video"},
    {"datasets"},
    {"preprocessing"},
    {"augment"},
    {"targets"},
    {"models"},
    {"layers"},
    {"metrics"},
    {"comparison"},
    {"_predictor", "saving"},
    {"baseline", "runtime"},
    {"estimator"},
    {"_meta_estimators"},
    {"two_stage"},
    {"ensemble"},
    {"conformal"},
    {"plot"},
    {"video_poses"},
    {"sampling"},
    {"individuals"},
    {"annotate"},
    {"_demo"},
    {"cli"},
    {"__main__"},
]
PLACE = {name: place for place, names in enumerate(WAY) for name in names}


def _imports(path):
    """Return the parts of skpose that a module imports, at its top or inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("skpose"):
            parts = node.module.split(".")
            yield from parts[1:2] or [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("skpose."):
                    yield alias.name.split(".")[1]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_modules_import_only_from_those_before_them(path):
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if part == "__init__":
        return
    for other in _imports(path):
        other = skpose._HOMES.get(other, other).removeprefix("skpose.")
        assert PLACE[other] <= PLACE[part], f"{path} imports {other}, which comes after it"


def test_only_one_module_imports_a_backend():
    backends = {"tensorflow", "jax", "torch"}
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if any(name.split(".")[0] in backends for name in names):
                found.add(path.relative_to(PACKAGE).as_posix())
    # NumPyro's models are written in JAX, whatever backend Keras has.
    assert found == {"estimator/_backend.py", "comparison/_sampling.py"}


def _private_names_of_sklearn(path):
    """The names of scikit-learn that a module imports, of which a part begins with `_`."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    parts = [name.split(".") for name in names]
    return [part for part in parts if part[0] == "sklearn" and any(n[0] == "_" for n in part)]


def test_only_one_module_imports_private_names_of_scikit_learn():
    paths = PACKAGE.rglob("*.py")
    found = {p.relative_to(PACKAGE).as_posix() for p in paths if _private_names_of_sklearn(p)}
    assert found == {"base.py"}


@pytest.mark.parametrize("module", ["skpose", "skpose.cli"])
def test_import_is_light(module):
    code = (
        f"import sys; import {module};"
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'imgaug', 'cv2', 'sklearn', 'pandas'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.clock
def test_import_is_quick():
    code = (
        "import time; start = time.perf_counter(); import skpose;print(time.perf_counter() - start)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    assert min(float(run.stdout) for run in runs) < 0.5


def test_subpackages_of_arrays_load_no_tensorflow():
    code = (
        "import sys; import skpose.datasets, skpose.preprocessing, skpose.augment, skpose.models,"
        "skpose.targets, skpose.metrics, skpose.plot, skpose.estimator;"
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'imgaug'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_public_names_exist():
    for name in skpose.__all__:
        assert getattr(skpose, name) is not None
    assert dir(skpose) == skpose.__all__
    with pytest.raises(AttributeError, match="no attribute 'PoseEstimater'"):
        skpose.PoseEstimater  # noqa: B018


def test_the_library_does_not_advise_options_of_the_command_line():
    found = []
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Raise):
                texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
                texts = [text for text in texts if isinstance(text, str)]
                found += [text for text in texts if re.search(r"(^|[ (])--[a-z]", text)]
    assert found == []
