import pytest

from skpose.models import ARCHITECTURES


def test_every_architecture_is_measured():
    from networks import NETWORKS

    measured = {type(network) for _, network in NETWORKS.values()}
    assert measured >= {type(make()) for make in ARCHITECTURES.values()}
    labels = [label for label, _ in NETWORKS.values()]
    assert len(set(labels)) == len(labels)


@pytest.fixture
def rows():
    from networks import NETWORKS

    return {
        name: {
            "label": label,
            "parameters": 10**6,
            "batch_1_ms": 10.0 + i,
            "batch_100_images_s": 20.0 + i,
            "mean_px": 3.0 + i,
            "minutes": 2.5,
        }
        for i, (name, (label, _)) in enumerate(NETWORKS.items())
    }


def test_table_has_what_was_measured(rows, capsys):
    from networks import print_table

    del rows["leap"]["mean_px"]
    print_table(rows)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(rows)
    assert len({line.count("|") for line in lines}) == 1
    (leap,) = (line for line in lines if "LEAP" in line)
    assert "1,000,000" in leap
    assert leap.endswith("|  |  |")


def test_figure_is_drawn_without_what_is_not_measured(rows, tmp_path, monkeypatch):
    import _figures

    monkeypatch.setattr(_figures, "RESULTS", tmp_path)
    del rows["leap"]["mean_px"]
    _figures.draw_speed_and_error(rows, "fly")
    assert (tmp_path / "networks_fly.png").stat().st_size > 1000
    _figures.draw_speed_and_error({}, "none")
    assert not (tmp_path / "networks_none.png").exists()
