import numpy as np

from skpose import PoseEstimator
from skpose.datasets import make_poses
from skpose.models import ResidualUNet


def test_all_engines_find_the_same_keypoints(tmp_path):
    from engines import make_engines

    X, y = make_poses(6, image_size=40, random_state=0)
    estimator = PoseEstimator(ResidualUNet(8), max_epochs=2, augmenter=None, random_state=0)
    estimator.fit(X, y).export(tmp_path / "model.onnx")
    engines = make_engines(estimator, tmp_path / "model.onnx")
    assert len(engines) >= 4
    expected = engines["TensorFlow"](X)
    for name, predict in engines.items():
        if "bfloat16" not in name:
            np.testing.assert_allclose(predict(X), expected, atol=0.05, err_msg=name)


def test_table_has_a_line_for_each_engine(capsys):
    from engines import print_table

    row = {"batch_1_ms": 5.0, "batch_100_ms_an_image": 4.0, "mean_px": 3.0}
    row["moved_px"] = {"median": 0.001, "p99": 0.01, "max": 0.02}
    print_table({"TensorFlow": row, "ONNX Runtime": row})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert len({line.count("|") for line in lines}) == 1
