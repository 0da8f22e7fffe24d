"""Writers that are killed, have no disk, or work beside each other: old content or new."""

import os
from pathlib import Path
import subprocess
import sys
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from robustness.writers import WRITERS, Updated, Whole

from skpose import Skeleton
from skpose.datasets import read_annotations, write_annotations

N_KILLS = int(os.environ.get("SKPOSE_KILLS", 12))
TESTS = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *filter(None, sys.path)])}

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs signals and limits of POSIX")


def files_in(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock"}


@pytest.mark.slow
def test_killed_writers_lose_nothing_that_was_written(tmp_path):
    program = TESTS / "robustness" / "kill_writers.py"
    run = subprocess.run(
        [sys.executable, program, tmp_path, str(N_KILLS), "0"],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert int(run.stdout) > len(WRITERS) * N_KILLS / 4  # else the kills came too early to tell


N_BYTES = {"Updated": 300, "Edited": 300, "PosesNpz": 300}  # too few for a second version


# What is folded is in the journal before, and stays there.
@pytest.mark.parametrize("kind", [kind for kind in WRITERS if kind.__name__ != "Folded"])
def test_full_disk_keeps_what_was_there_and_is_told(kind, tmp_path):
    import resource

    writer = kind(tmp_path)
    writer.write(1)
    before = files_in(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    n_bytes = N_BYTES.get(kind.__name__, 2000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, limits[1]))
    try:
        with pytest.raises(OSError, match=f"File too large.*{writer.path.name}") as caught:
            writer.write(2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert issubclass(kind, Updated) or "nothing is changed; make room and try again" in str(
        caught.value
    )
    assert files_in(tmp_path) == before
    assert writer.version() == 1
    writer.write(2)
    assert writer.version() == 2


FILL = """
import shutil
import sys
from pathlib import Path
from robustness.writers import WRITERS

for kind in WRITERS:
    print(kind.__name__, file=sys.stderr, flush=True)  # is the last line if it crashes
    place = Path(sys.argv[1], kind.__name__)
    place.mkdir()
    writer, version = kind(place), 0
    try:
        while True:
            writer.write(version + 1)
            version += 1
            (place / f"more{version}").write_bytes(bytes(50_000))
    except OSError as error:
        print(error)
    for path in place.glob("more*"):
        path.unlink()
    assert writer.version() == version, (writer.version(), version)
    writer.write(version + 1)
    shutil.rmtree(place)
"""


@pytest.mark.slow
def test_a_disk_that_fills_up_crashes_nothing(tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", tmp_path]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not mount a small disk")
    try:
        run = subprocess.run(
            [sys.executable, "-c", FILL, tmp_path],
            capture_output=True,
            text=True,
            check=False,
            env=ENVIRONMENT,
        )
    finally:
        subprocess.run(["umount", tmp_path], check=True)
    assert run.returncode == 0, f"{run.returncode}: {run.stderr[-2000:]}"
    assert run.stdout.count("No space left on device") == len(WRITERS)


EDIT = """
import sys
import numpy as np
from skpose.datasets import append_images, update_annotations, write_guesses
path, first = sys.argv[1], int(sys.argv[2])
for i in range(first, 200, 2):
    update_annotations(path, [i], np.full((1, 2, 2), float(i + 1)))
    if i % 20 == first:
        write_guesses(path, np.arange(200), np.full((200, 2, 2), 0.5))
        append_images(path, np.full((1, 6, 8, 1), i, dtype=np.uint8))
"""


@pytest.mark.slow
def test_two_processes_on_one_set_lose_nothing(tmp_path):
    path = tmp_path / "set.h5"
    images = np.zeros((200, 6, 8, 1), dtype=np.uint8)
    write_annotations(path, images, skeleton=Skeleton(["a", "b"]))
    processes = [
        subprocess.Popen([sys.executable, "-c", EDIT, path, first], env=ENVIRONMENT)
        for first in ("0", "1")
    ]
    assert [process.wait() for process in processes] == [0, 0]
    data = read_annotations(path, frames="all")
    expected = np.arange(1.0, 201)[:, np.newaxis, np.newaxis]
    np.testing.assert_array_equal(data.keypoints[:200], np.broadcast_to(expected, (200, 2, 2)))
    appended = np.asarray(data.images)[200:, 0, 0, 0].tolist()
    assert sorted(appended) == sorted([*range(0, 200, 20), *range(1, 200, 20)])


AS_NOBODY = """
import os, sys
# Now: after the change of user the environment may be out of reach.
import filelock, numpy.ma, sklearn.utils
import numpy as np
from skpose.datasets import read_annotations, update_annotations
if os.geteuid() == 0:
    os.setuid(65534)
path = sys.argv[1]
print(read_annotations(path).keypoints[1, 0, 0])
try:
    update_annotations(path, [0], np.ones((1, 2, 2)))
except PermissionError as error:
    print(error)
"""


def test_set_in_a_read_only_folder_is_read_with_its_journal():
    with TemporaryDirectory() as name:  # not pytest's, in which nobody else may look
        folder = Path(name)
        writer = Updated(folder)
        writer.write(1)
        (folder / "set.h5.lock").unlink()
        folder.chmod(0o555)
        try:
            run = subprocess.run(
                [sys.executable, "-c", AS_NOBODY, writer.path],
                capture_output=True,
                text=True,
                check=False,
                env=ENVIRONMENT,
            )
        finally:
            folder.chmod(0o755)
    assert run.returncode == 0, run.stderr[-2000:]
    value, message = run.stdout.splitlines()
    assert value == "1.0"
    assert "Permission denied" in message
    assert "set.h5" in message


def test_a_folder_in_the_place_of_a_set_is_told(tmp_path):
    (tmp_path / "set.h5").mkdir()
    with pytest.raises(IsADirectoryError, match=r"set\.h5 cannot be written: it is a folder"):
        Whole(tmp_path)
