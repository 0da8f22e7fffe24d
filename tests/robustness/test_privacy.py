"""Nothing is written beside what was asked for, and nobody is called."""

import os
from pathlib import Path
import shutil
import subprocess
import sys

import pytest

TESTS = Path(__file__).parents[1]

# What `import keras` writes by itself: its settings, and the list of fonts of Matplotlib.
OF_KERAS = (".keras/keras.json", ".cache/matplotlib/fontlist", ".cache/matplotlib/.fontlist")

# Takes the place of the system's function, which native libraries call by themselves.
LOOK_UP = r"""
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

static void note(const char *host) {
    FILE *file = fopen(getenv("LOOKED_UP"), "a");
    if (file) { fprintf(file, "%s\n", host ? host : "-"); fclose(file); }
}
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **result) {
    note(host);
    return EAI_FAIL;
}
struct hostent *gethostbyname(const char *host) { note(host); return 0; }
"""

USE = """
import socket
import sys
import time
from helpers import tiny_estimator
import skpose
from skpose.datasets import make_poses
from skpose.models import LEAP
from skpose.targets import ConfidenceMaps

path, exported, call = sys.argv[1:]
if call == "call":
    try:
        socket.getaddrinfo("example.invalid", 80)
    except OSError:
        pass
X, y = make_poses(8, image_size=32, random_state=0)
network = {"model": LEAP(filters=4), "targets": ConfidenceMaps(sigma=3.0, downsample_factor=0)}
estimator = tiny_estimator(**network).fit(X, y)
estimator.save(path)
estimator = skpose.load(path)
estimator.predict(X)
estimator.export(exported)
for engine in ("onnxruntime", "openvino"):
    skpose.load(exported).set_params(engine=engine).fit().predict(X)
time.sleep(5)
"""


def use(folder, call=""):
    """Use a model in every way; return the files under a new HOME, and the hosts looked up."""
    home, library, hosts = folder / "home", folder / "look_up.so", folder / "hosts"
    home.mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")}
    places = os.pathsep.join([str(TESTS), *filter(None, sys.path)])
    environment |= {"HOME": str(home), "PYTHONPATH": places, "LOOKED_UP": str(hosts)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    (folder / "look_up.c").write_text(LOOK_UP)
    command = ["cc", "-shared", "-fPIC", "-o", library, folder / "look_up.c"]
    subprocess.run(command, check=True)
    environment["LD_PRELOAD"] = str(library)
    command = [sys.executable, "-c", USE, folder / "a.skpose", folder / "a.onnx", call]
    subprocess.run(command, env=environment, check=True, cwd=folder)
    files = [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]
    files = [path for path in files if not path.startswith(OF_KERAS)]
    return files, hosts.read_text().splitlines() if hosts.exists() else []


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="preloads a library of Linux")
@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a compiler of C to look for lookups")
def test_nothing_is_written_under_home_and_no_host_is_looked_up(tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    assert use(tmp_path) == ([], [])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="preloads a library of Linux")
@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a compiler of C to look for lookups")
def test_a_lookup_would_be_noticed(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "USE", USE[: USE.index("X, y = make_poses")])
    assert use(tmp_path, "call") == ([], ["example.invalid"])
