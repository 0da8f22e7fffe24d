import doctest
import importlib
import inspect
import pkgutil
import re

import pytest

import skpose


def _modules():
    names = [info.name for info in pkgutil.walk_packages(skpose.__path__, "skpose.")]
    return sorted(set(names) - {"skpose.__main__"})


def _public_objects():
    for package in sorted(skpose._SUBPACKAGES):
        module = importlib.import_module(f"skpose.{package}")
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                yield pytest.param(thing, id=f"{package}.{name}")


@pytest.mark.parametrize("name", _modules())
def test_examples_in_docstrings_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testmod(module, optionflags=flags)
    assert result.failed == 0


def _parameters(docstring):
    """Return {name: default as written or None} of the Parameters section."""
    section = re.search(
        r"\n *Parameters\n *-+\n(.*?)(\n *\n *[A-Z][\w ]+\n *-+\n|\Z)", docstring, re.S
    )
    if not section:
        return {}
    indent = min(len(line) - len(line.lstrip()) for line in section[1].splitlines() if line.strip())
    found = {}
    for line in section[1].splitlines():
        match = re.match(rf" {{{indent}}}(\*{{0,2}}\w+(?:, \*{{0,2}}\w+)*)(?: : (.*))?$", line)
        if match:
            default = re.search(r"default=(.+)$", match[2] or "")
            for name in match[1].split(", "):
                found[name.lstrip("*")] = default[1] if default else None
    return found


# What a function makes, and nobody else does.
_MADE = {"AlreadyServed", "LabelServer"}


@pytest.mark.parametrize(
    "thing", [param for param in _public_objects() if param.values[0].__name__ not in _MADE]
)
def test_documented_parameters_are_those_of_the_signature(thing):
    docstring = inspect.getdoc(thing)
    assert docstring, f"{thing} has no docstring"
    documented = _parameters(docstring)
    signature = inspect.signature(thing)
    names = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD and not name.startswith("_")
    ]
    assert list(documented) == names
    for name in names:
        default = signature.parameters[name].default
        if default is inspect.Parameter.empty:
            assert documented[name] is None, name
        else:
            written = documented[name]
            assert written is not None, f"{name} has the default {default!r}"
            assert eval(written, {"inf": float("inf")}) == default, name


@pytest.mark.parametrize("thing", list(_public_objects()))
def test_every_public_name_has_an_example(thing):
    assert "\nExamples\n--------\n>>> " in inspect.getdoc(thing)
