"""Kills each writer at random moments; a program of its own, since it forks.

``python kill_writers.py FOLDER N_KILLS SEED``
"""

import os
from pathlib import Path
import random
import signal
import sys
import time

from robustness.writers import WRITERS


def write_on(writer, version, done):
    while True:
        version += 1
        writer.write(version)
        os.write(done, b".")


def kill(writer, version, generator):
    """Let a process write, kill it; return how many versions it had finished."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        write_on(writer, version, writing)
    os.close(writing)
    time.sleep(generator.uniform(0.001, 0.08))
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, f"{type(writer).__name__} ended by itself"
    n_done = len(os.read(reading, 10**6))
    os.close(reading)
    return n_done


def main(folder, n_kills, seed):
    generator, n_written = random.Random(seed), 0
    for kind in WRITERS:
        place = Path(folder, kind.__name__)
        place.mkdir()
        writer, version = kind(place), 0
        for _ in range(n_kills):
            n_done = kill(writer, version, generator)
            found = writer.version()
            assert version + n_done <= found <= version + n_done + 1, (
                f"{kind.__name__}: {version + n_done} was written, but {found} is there"
            )
            version, n_written = found, n_written + n_done
        writer.write(version + 1)  # it goes on, and clears up
        assert writer.version() == version + 1
        left = [path.name for path in place.iterdir() if path.name.endswith(".tmp")]
        assert not left, f"{kind.__name__} left {left}"
    print(n_written)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
