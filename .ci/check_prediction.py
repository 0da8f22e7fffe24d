"""Predict with an exported estimator where there is no TensorFlow, as in packaging/predict."""

from importlib.util import find_spec
from pathlib import Path
import subprocess
import sys
import tempfile

import numpy as np

import skpose
from skpose.video import VideoFrames
from skpose.video._encoder import write_mp4

FILES = Path(__file__).parents[1] / "tests" / "saving" / "files"


def run(*arguments):
    subprocess.run([sys.executable, "-m", "skpose", *map(str, arguments)], check=True)


def main():
    for package in ("tensorflow", "keras", "matplotlib"):
        assert find_spec(package) is None, f"{package} is installed"
    expected = np.load(FILES / "format_2.npz")
    model = skpose.load(FILES / "exported.onnx")
    np.testing.assert_allclose(model.predict(expected["images"]), expected["keypoints"], atol=0.05)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with write_mp4(folder / "mouse.mp4", expected["images"].shape[1:3], 10) as write:
            for image in np.repeat(expected["images"], 3, axis=3):
                write(image)
        assert len(VideoFrames(folder / "mouse.mp4")) == len(expected["images"])
        table, drawn = folder / "poses.csv", folder / "drawn.mp4"
        run("predict", FILES / "exported.onnx", folder / "mouse.mp4", "--out", table)
        run("draw", folder / "mouse.mp4", table, "--out", drawn)
        run("convert", table, folder / "poses.nc")
        assert len(VideoFrames(drawn)) == len(expected["images"])
    print("an exported estimator predicts without TensorFlow")


if __name__ == "__main__":
    main()
