"""Check that a source distribution has every file that is under version control.

    python check_sdist.py FOLDER

FOLDER has the one archive.
"""

from pathlib import Path
import subprocess
import sys
import tarfile

REPOSITORY = Path(__file__).parents[1]


def main(folder):
    (archive,) = Path(folder).glob("*.tar.gz")
    with tarfile.open(archive) as file:
        shipped = {name.partition("/")[2] for name in file.getnames()}
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    wanted = {name for name in tracked if not name.startswith(".") and (REPOSITORY / name).exists()}
    missing = sorted(wanted - shipped)
    assert not missing, f"not in {archive.name}: {missing}"
    print(f"{archive.name} has all {len(wanted)} files")


if __name__ == "__main__":
    main(sys.argv[1])
