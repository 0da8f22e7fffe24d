"""Use skpose as it was installed without extras: what is shipped, and what is told if missing."""

from importlib import import_module
from importlib.metadata import distribution, entry_points
from pathlib import Path
import pkgutil
import tempfile

import numpy as np

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "skpose" / "annotate" / "static"


def check_files(installed):
    files = {str(file) for file in installed.files}
    sources = {str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("skpose/**/*.py")}
    page = {f"skpose/annotate/static/{name.name}" for name in PAGE.iterdir()}
    missing = sorted({*sources, *page, "skpose/py.typed"} - files)
    assert not missing, f"not installed: {missing}"
    tops = {name.split("/")[0] for name in files if not name.startswith("..")}
    assert tops == {"skpose", f"skpose-{installed.version}.dist-info"}, tops
    assert any(name.endswith("licenses/LICENSE") for name in files)


def check_entry_point():
    (command,) = entry_points(group="console_scripts", name="skpose")
    assert callable(command.load())


def check_extras(installed):
    """Check that what users may ask for is what the tests are run with."""
    extras = {name: set() for name in installed.metadata.get_all("Provides-Extra")}
    for requirement in installed.requires:
        needed, _, extra = requirement.partition("; extra == ")
        if extra:
            extras[extra.strip("'\"")].add(needed)
    for name in extras.keys() - {"test", "test-browser", "dev", "docs"}:
        untested = extras[name] - extras["test"]
        assert extras[name], f"the extra {name} needs nothing"
        assert not untested, f"the extra {name} needs {untested}, which no test does"
    return sorted(extras)


def check_modules(package):
    assert Path(package.__file__).parent != REPOSITORY / "skpose", "skpose of the checkout is used"
    for module in pkgutil.walk_packages(package.__path__, "skpose."):
        if not module.name.endswith("__main__"):
            import_module(module.name)


def check_use(folder):
    """Do the main job with what is always there, and ask for what is in an extra."""
    import skpose
    from skpose.datasets import make_poses
    from skpose.individuals import read_sleap
    from skpose.models import LEAP

    X, y = make_poses(4, image_size=32, random_state=0)
    estimator = skpose.PoseEstimator(LEAP(filters=4), max_epochs=1, random_state=0).fit(X, y)
    skpose.save(estimator, folder / "mouse.skpose")
    np.testing.assert_array_equal(
        skpose.load(folder / "mouse.skpose").predict(X), estimator.predict(X)
    )
    (folder / "animal.slp").write_bytes(b"something")
    for extra, use in [
        ("formats", lambda: read_sleap(folder / "animal.slp")),
        ("onnx", lambda: estimator.export(folder / "mouse.onnx")),
    ]:
        assert f"pip install 'skpose[{extra}]'" in message_of_missing(use)


def message_of_missing(use):
    try:
        use()
    except ImportError as error:
        return str(error)
    return "nothing is missing"


def main():
    installed = distribution("skpose")
    check_files(installed)
    check_entry_point()
    extras = check_extras(installed)
    check_modules(import_module("skpose"))
    with tempfile.TemporaryDirectory() as folder:
        check_use(Path(folder))
    print(f"skpose {installed.version} is complete; extras: {', '.join(extras)}")


if __name__ == "__main__":
    main()
