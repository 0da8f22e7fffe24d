import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def leave_no_trace():
    """Close all figures; fail if a Display changed matplotlib's settings."""
    import matplotlib.pyplot as plt

    before = dict(plt.rcParams)
    yield
    plt.close("all")
    assert dict(plt.rcParams) == before
