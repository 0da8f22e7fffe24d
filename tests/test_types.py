import ast
from importlib import import_module
from importlib.resources import files
import inspect
import os
from pathlib import Path
from pkgutil import iter_modules
import subprocess
import sys
import types
import typing

import pytest

import skpose

MODULES = [f"skpose.{m.name}" for m in iter_modules(skpose.__path__) if not m.name.startswith("_")]
MODULES += ["skpose"]


def _is_public(name):
    """Whether a user calls a method by its name or by syntax; scikit-learn's hooks are neither."""
    return not name.startswith("_") or (name.endswith("__") and not name.startswith("__sklearn"))


def _functions_of(cls):
    """Yield (name, function) of what skpose defines of a class, its base classes included."""
    for base in cls.__mro__:
        if not base.__module__.startswith("skpose"):
            continue
        for name, value in vars(base).items():
            if not _is_public(name):
                continue
            if isinstance(value, property):
                if name in inspect.get_annotations(base):
                    continue  # typed where it is assigned
                value = value.fget
            value = getattr(value, "__func__", value)  # of classmethod and staticmethod
            value = inspect.unwrap(value) if callable(value) else value
            if isinstance(value, types.FunctionType) and value.__module__.startswith("skpose"):
                yield f"{base.__qualname__}.{name}", value


def _public_functions():
    """Yield (name, function) of each public function, constructor, method and property."""
    for module in map(import_module, MODULES):
        for name in module.__all__:
            value = getattr(module, name)
            value = getattr(value, "callback", value)  # of a command
            if isinstance(value, type):
                yield from _functions_of(value)
            elif callable(value) and value.__module__.startswith("skpose"):
                function = inspect.unwrap(value)
                if isinstance(function, types.FunctionType):
                    yield f"{module.__name__}.{name}", function


def _names_for_type_checkers(module):
    """The names that a module imports under ``if TYPE_CHECKING:``."""
    names = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            imports = [part for part in node.body if isinstance(part, ast.Import | ast.ImportFrom)]
            exec(compile(ast.Module(imports, []), module.__name__, "exec"), names)
    return names


def test_public_signatures_are_annotated():
    found = dict(_public_functions())
    assert {"PoseEstimator.fit", "BaseAugmenter.fit", "skpose.load", "Skeleton.names"} <= set(found)
    missing = {}
    for name, function in found.items():
        parameters = [*inspect.signature(function).parameters, "return"]
        bare = set(parameters) - {"self", "cls"} - set(function.__annotations__)
        if bare:
            missing[name] = bare
    assert missing == {}


def test_annotations_name_types_that_exist():
    for function in dict(_public_functions()).values():
        names = _names_for_type_checkers(sys.modules[function.__module__])
        typing.get_type_hints(function, localns=names)


def test_type_checkers_see_the_names_that_are_loaded_late():
    for name in ("skpose", "skpose.estimator", "skpose.models"):
        module = import_module(name)
        late = set(module.__all__) - set(vars(module))
        late |= {*getattr(module, "_HOMES", ()), *getattr(module, "_SUBPACKAGES", ())}
        assert late <= set(_names_for_type_checkers(module)), name


def test_the_package_says_that_it_is_typed():
    assert files("skpose").joinpath("py.typed").is_file()


def _check(tmp_path, program):
    """Return what mypy says of a user's program, with the line that each remark is about."""
    pytest.importorskip("mypy")
    (tmp_path / "program.py").write_text(program)
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "program.py"]
    environment = {**os.environ, "PYTHONPATH": str(Path(skpose.__file__).parents[1])}
    run = subprocess.run(mypy, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert run.stderr == ""
    return run.stdout


@pytest.mark.slow
def test_a_type_checker_knows_what_methods_return(tmp_path):
    said = _check(
        tmp_path,
        "from skpose import PoseEstimator\n"
        "from skpose.datasets import make_poses\n"
        "X, y = make_poses(8)\n"
        "estimator = PoseEstimator().fit(X, y)\n"
        "reveal_type(estimator)\n"
        "reveal_type(estimator.predict(X))\n"
        "keypoints, confidence = estimator.predict(X, return_confidence=True)\n"
        "reveal_type(confidence)\n",
    )
    revealed = [line.partition("is ")[2] for line in said.splitlines() if "Revealed" in line]
    assert "PoseEstimator" in revealed[0]
    assert len(revealed) == 3
    assert all("ndarray" in line and "float64" in line for line in revealed[1:])
    assert "Success" in said


@pytest.mark.slow
def test_a_type_checker_finds_wrong_uses(tmp_path):
    said = _check(
        tmp_path,
        "from skpose import PoseEstimator, Skeleton\n"
        'PoseEstimator(max_epochs="many")\n'
        "PoseEstimator(epochs=3)\n"
        'Skeleton(["head"]).nmaes\n'
        "from skpose import PoseEstimater\n",
    )
    lines = {line.partition(": error:")[0] for line in said.splitlines() if ": error:" in line}
    assert lines == {f"program.py:{i}" for i in (2, 3, 4, 5)}
