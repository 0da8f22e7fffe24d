import pytest

from skpose import PoseEstimator
from skpose.datasets import make_poses
from skpose.models import ResidualUNet


@pytest.mark.slow
def test_all_engines_find_the_same_keypoints(tmp_path):
    from engines import ENGINES, compare, in_8_bits

    X, y = make_poses(6, image_size=40, random_state=0)
    estimator = PoseEstimator(ResidualUNet(8), max_epochs=2, augmenter=None, random_state=0)
    path, exported = tmp_path / "model.skpose", tmp_path / "model.onnx"
    estimator.fit(X, y).save(path)
    estimator.export(exported)
    estimator.export(in_8_bits(exported), calibration=X)
    expected = estimator.predict(X)
    for name, make in ENGINES.items():
        if "bfloat16" not in name:
            row = compare(make(path, exported)(X), expected, y)
            assert row["moved_px"]["median"] < (0.5 if "8 bits" in name else 0.01), name
            if "8 bits" not in name:
                assert row["moved_px"]["max"] < 0.05, name
                assert row["mean_px"] == pytest.approx(-estimator.score(X, y), abs=0.01)


def test_table_has_a_line_for_each_engine(capsys):
    from engines import print_table

    row = {"batch_1_ms": 5.0, "batch_100_ms_an_image": 4.0, "mean_px": 3.0}
    row["moved_px"] = {"median": 0.001, "p99": 0.01, "max": 0.02}
    print_table({"TensorFlow": row, "ONNX Runtime": row})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert len({line.count("|") for line in lines}) == 1
