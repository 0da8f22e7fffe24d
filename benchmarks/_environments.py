"""Virtual environments for the packages that we are compared with."""

import os
from pathlib import Path
import subprocess
import sys
import venv

__all__ = ["EnvironmentFailure", "find_python"]

REQUIREMENTS = {
    "deepposekit": (
        "deepposekit==0.3.9",
        "tensorflow-cpu==2.15.1",
        "numpy==1.23.5",
        "imgaug==0.4.0",
        "opencv-python-headless<4.10",
        "opencv-python<4.10",
        "scikit-image<0.23",
        "h5py",
        "matplotlib",
        "pandas",
        "pyyaml",
        "scikit-learn",
    ),
    "sleap-nn": ("sleap-nn==0.3.5",),
    "deeplabcut": ("deeplabcut==3.0.2",),
}
IMPORTS = {"sleap-nn": "sleap_nn"}


class EnvironmentFailure(RuntimeError):
    """A package cannot be had here; says at which step it failed."""


def find_python(name, environment=None):
    """Return the interpreter of an environment that has a package, and make it if need be.

    Parameters
    ----------
    name : str
        One of `REQUIREMENTS`.
    environment : path-like, default=None
        An existing virtual environment. None: one in the user's cache, made on first use.

    Returns
    -------
    Path

    Raises
    ------
    EnvironmentFailure
        If the package cannot be installed or imported.
    """
    folder = _cache() / name if environment is None else Path(environment)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    is_new = environment is None and not (folder / "complete").exists()
    if is_new:
        print(f"making an environment for {name} in {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        _run(f"install {name}", [python, "-m", "pip", "install", "-q", *REQUIREMENTS[name]])
    _run(f"import {name}", [python, "-c", f"import {IMPORTS.get(name, name)}"])
    if is_new:
        (folder / "complete").touch()
    return python


def _cache():
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return cache / "skpose-benchmarks"


def _run(step, command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise EnvironmentFailure(f"{step}: {' | '.join(lines[-3:])}")
