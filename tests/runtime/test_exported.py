from concurrent.futures import ThreadPoolExecutor
import pickle
import subprocess
import sys

import h5py
from helpers import write_video
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

import skpose
from skpose import PoseEstimator
from skpose.datasets import make_poses
from skpose.estimator import Checkpoint
from skpose.models import LEAP, ResidualUNet, StackedDenseNet
from skpose.poses import read_poses, to_numpy
from skpose.preprocessing import ImageBatch, ImageResizer
from skpose.runtime import ExportedPoseEstimator
from skpose.video import VideoFrames
from skpose.video_poses import PoseStream, predict_video


@pytest.fixture(scope="module")
def poses():
    return make_poses(8, image_size=40, random_state=0, return_bunch=True)


@pytest.fixture(scope="module")
def estimator(poses):
    estimator = PoseEstimator(
        ResidualUNet(8), skeleton=poses.skeleton, max_epochs=3, augmenter=None, random_state=0
    )
    return estimator.fit(poses.images, poses.keypoints)


@pytest.fixture(scope="module")
def path(estimator, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "mouse.onnx"
    estimator.export(path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_engines_predict_what_the_estimator_predicts(poses, estimator, path, engine):
    exported = ExportedPoseEstimator(path, engine=engine)
    for n_samples in (8, 1, 0):
        images = poses.images[:n_samples]
        keypoints, confidence = exported.predict(images, return_confidence=True, batch_size=3)
        expected, expected_confidence = estimator.predict(images, return_confidence=True)
        assert keypoints.shape == expected.shape
        np.testing.assert_allclose(keypoints, expected, atol=0.01)
        np.testing.assert_allclose(confidence, expected_confidence, atol=1e-3)


def test_bfloat16_predicts_nearly_the_same_where_there_is_such(poses, estimator, path):
    import openvino

    exported = ExportedPoseEstimator(path, engine="openvino", precision="bfloat16")
    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        with pytest.raises(ValueError, match="no bfloat16"):
            exported.fit()
        return
    keypoints, confidence = exported.predict(poses.images, return_confidence=True)
    expected, expected_confidence = estimator.predict(poses.images, return_confidence=True)
    np.testing.assert_allclose(confidence, expected_confidence, atol=0.05)
    assert np.median(np.abs(keypoints - expected)) < 0.5  # hardly trained: peaks are flat


@pytest.mark.slow
def test_mixed_precision_is_exported_as_float32(poses, tmp_path):
    import onnx

    path = tmp_path / "mouse.onnx"
    estimator = PoseEstimator(
        ResidualUNet(4), precision="mixed_bfloat16", max_epochs=1, augmenter=None, random_state=0
    )
    estimator.fit(poses.images, poses.keypoints).export(path)
    types = {tensor.data_type for tensor in onnx.load(path).graph.initializer}
    assert onnx.TensorProto.FLOAT in types
    assert not types & {onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}
    _, confidence = skpose.load(path).predict(poses.images, return_confidence=True)
    _, expected = estimator.predict(poses.images, return_confidence=True)
    np.testing.assert_allclose(confidence, expected, atol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    "network", [StackedDenseNet(1, growth_rate=4), LEAP(filters=4)], ids=["densenet", "leap"]
)
def test_other_networks_are_exported_too(poses, tmp_path, network):
    estimator = PoseEstimator(network, max_epochs=1, random_state=0)
    estimator.fit(poses.images, poses.keypoints)
    estimator.export(tmp_path / "mouse.onnx")
    exported = skpose.load(tmp_path / "mouse.onnx")
    expected = estimator.predict(poses.images)
    np.testing.assert_allclose(exported.predict(poses.images), expected, atol=0.05)
    assert exported.skeleton is None


def test_it_knows_what_the_estimator_knew(estimator, path):
    exported = skpose.load(path)
    assert isinstance(exported, ExportedPoseEstimator)
    assert exported.n_keypoints_ == estimator.n_keypoints_
    assert exported.image_shape_ == estimator.image_shape_
    assert exported.skeleton == estimator.skeleton


def test_it_takes_part_in_pipelines_and_searches(poses, path):
    exported = ExportedPoseEstimator(path)
    large = poses.images.repeat(2, axis=1).repeat(2, axis=2)
    pipeline = make_pipeline(ImageResizer(scale=0.5), clone(exported)).fit(large, poses.keypoints)
    expected = 2 * exported.predict(poses.images) + 0.5
    np.testing.assert_allclose(pipeline.predict(large), expected, atol=0.1)
    scores = cross_val_score(exported, poses.images, poses.keypoints, cv=2)
    assert scores.mean() == pytest.approx(exported.score(poses.images, poses.keypoints))


def test_images_may_be_of_any_kind(poses, path, tmp_path):
    exported = ExportedPoseEstimator(path)
    expected = exported.predict(poses.images)
    with h5py.File(tmp_path / "images.h5", "w") as file:
        dataset = file.create_dataset("images", data=poses.images)
        np.testing.assert_array_equal(exported.predict(dataset), expected)
    as_float = poses.images.astype(np.float64)
    np.testing.assert_array_equal(exported.predict(as_float), expected)
    moved = ImageBatch(poses.images, np.array([[1.0, 0.0, -3.0], [0.0, 1.0, 2.0]]), (40, 40))
    keypoints = exported.predict(moved)
    expected = exported.predict(np.asarray(moved)) + [3, -2]
    np.testing.assert_allclose(keypoints, expected, atol=1e-4)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_threads_can_predict_at_once(poses, path, engine):
    exported = ExportedPoseEstimator(path, engine=engine)
    expected = exported.predict(poses.images)
    with ThreadPoolExecutor(4) as pool:
        for keypoints in pool.map(exported.predict, [poses.images] * 16):
            np.testing.assert_allclose(keypoints, expected, atol=1e-4)


def test_a_video_is_predicted_and_goes_on_under_another_name(path, tmp_path, monkeypatch):
    frames = make_poses(12, image_size=40, random_state=1)[0]
    video = write_video(tmp_path / "mouse.mp4", np.repeat(frames, 3, axis=3))
    predict, n_frames = ExportedPoseEstimator.predict, []

    def stop(self, X, **options):
        if len(n_frames) == 2:
            raise KeyboardInterrupt
        n_frames.append(len(X))
        return predict(self, X, **options)

    out = tmp_path / "poses.csv"
    monkeypatch.setattr(ExportedPoseEstimator, "predict", stop)
    with pytest.raises(KeyboardInterrupt):
        predict_video(ExportedPoseEstimator(path), video, out=out, batch_size=4)
    n_frames.clear()
    predict_video(ExportedPoseEstimator(str(path)), video, out=out, batch_size=4)
    assert n_frames == [4]  # the rest
    monkeypatch.undo()
    expected = ExportedPoseEstimator(path).predict(VideoFrames(video, n_channels=1))
    np.testing.assert_allclose(to_numpy(read_poses(out))[0], expected, atol=1e-3)
    captured = list(PoseStream(ExportedPoseEstimator(path), frames))
    assert captured[0].keypoints.shape == expected.shape[1:]


def test_it_can_be_shown_before_its_file_is_there(path):
    missing = ExportedPoseEstimator(path.with_name("missing.onnx"))
    assert "missing.onnx" in make_pipeline(missing)._repr_html_()
    assert not hasattr(missing, "skeleton")
    with pytest.raises(AttributeError, match="There is no exported estimator"):
        _ = missing.n_keypoints_


@pytest.mark.slow
def test_fit_reads_a_file_that_was_replaced(poses, path, tmp_path):
    replaced = tmp_path / "mouse.onnx"
    replaced.write_bytes(path.read_bytes())
    exported = ExportedPoseEstimator(replaced).fit()
    other = PoseEstimator(ResidualUNet(4), max_epochs=1, random_state=1)
    other.fit(poses.images, poses.keypoints[:, :5]).export(replaced, overwrite=True)
    assert exported.n_keypoints_ == 13
    assert exported.fit().n_keypoints_ == 5


def test_a_pickle_needs_no_file(poses, path, tmp_path):
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(path.read_bytes())
    exported = ExportedPoseEstimator(copy)
    expected = exported.predict(poses.images)
    pickled = pickle.dumps(exported)
    copy.unlink()
    for copied in (pickle.loads(pickled), clone(pickle.loads(pickled)).fit()):
        np.testing.assert_array_equal(copied.predict(poses.images), expected)


def test_parameters_can_be_changed_after_use(poses, path):
    exported = ExportedPoseEstimator(path)
    expected = exported.predict(poses.images)
    exported.set_params(engine="openvino")
    np.testing.assert_allclose(exported.predict(poses.images), expected, atol=0.01)
    with pytest.raises(FileNotFoundError, match=r"no exported estimator .*other\.onnx"):
        exported.set_params(path=path.with_name("other.onnx")).predict(poses.images)


def test_neither_keras_nor_tensorflow_is_loaded(path):
    code = (
        "import sys, numpy as np, skpose\n"
        f"exported = skpose.load({str(path)!r})\n"
        "exported.predict(np.zeros((1, *exported.image_shape_), dtype=np.uint8))\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_threads_are_as_many_as_the_environment_says(poses, path, monkeypatch):
    import onnxruntime
    import openvino

    n_threads = {}
    start, compile_model = onnxruntime.InferenceSession, openvino.Core.compile_model

    def start_and_note(content, sess_options, providers):
        n_threads["onnxruntime"] = sess_options.intra_op_num_threads
        return start(content, sess_options=sess_options, providers=providers)

    def compile_and_note(core, model, device, settings):
        n_threads["openvino"] = settings["INFERENCE_NUM_THREADS"]
        return compile_model(core, model, device, settings)

    monkeypatch.setattr(onnxruntime, "InferenceSession", start_and_note)
    monkeypatch.setattr(openvino.Core, "compile_model", compile_and_note)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for engine in ("onnxruntime", "openvino"):
        ExportedPoseEstimator(path, engine=engine).predict(poses.images)
    assert n_threads == {"onnxruntime": 1, "openvino": 1}


def test_images_of_another_size_are_refused(path):
    with pytest.raises(ValueError, match="takes images of 40 x 40 pixels .* these are 40 x 41"):
        ExportedPoseEstimator(path).predict(np.zeros((1, 40, 41, 1), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"3 channel\(s\)"):
        ExportedPoseEstimator(path).predict(np.zeros((1, 40, 40, 3), dtype=np.uint8))


def test_what_is_no_exported_estimator_is_refused(tmp_path):
    import onnx
    from onnx import TensorProto, helper

    text = tmp_path / "text.onnx"
    text.write_text("not a model")
    with pytest.raises(ValueError, match="cannot be read as an ONNX model"):
        skpose.load(text)
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    node = helper.make_node("Identity", ["x"], ["y"])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    opsets = [helper.make_opsetid("", 17)]
    graph = helper.make_graph([node], "other", [value], [output])
    other = tmp_path / "other.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), other)
    with pytest.raises(ValueError, match=r"was not written by PoseEstimator\.export"):
        skpose.load(other)


@pytest.mark.slow
def test_a_damaged_export_is_refused_and_named(path, tmp_path):
    content = path.read_bytes()
    damaged = tmp_path / "damaged.onnx"
    for position in np.linspace(0, len(content) - 1, 60, dtype=int):
        flipped = bytes([content[position] ^ 16])
        damaged.write_bytes(content[:position] + flipped + content[position + 1 :])
        with pytest.raises(
            ValueError, match=r"damaged\.onnx (is not as it was|cannot be read|is an)"
        ):
            ExportedPoseEstimator(damaged).fit()
    damaged.write_bytes(content.replace(b"skpose_checksum", b"another_mention"))
    with pytest.raises(ValueError, match="exported before files had a checksum"):
        ExportedPoseEstimator(damaged).fit()


@pytest.mark.slow
def test_an_export_replaces_exports_only(estimator, path, tmp_path):
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(path.read_bytes())
    estimator.export(copy, overwrite=True)
    copy.write_bytes(b"a network of somebody else")
    with pytest.raises(ValueError, match="something else than exported estimators"):
        estimator.export(copy, overwrite=True)
    assert copy.read_bytes() == b"a network of somebody else"


def test_onnxruntime_has_no_bfloat16(path):
    with pytest.raises(ValueError, match="engine='openvino'"):
        ExportedPoseEstimator(path, precision="bfloat16").fit()
    with pytest.raises(ValueError, match="'engine' parameter"):
        ExportedPoseEstimator(path, engine="tvm").fit()


def test_an_export_is_whole_or_not_there(estimator, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"end in \.onnx"):
        estimator.export(tmp_path / "mouse.h5")
    with pytest.raises(FileNotFoundError, match="no folder"):
        estimator.export(tmp_path / "missing" / "mouse.onnx")
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ImportError, match=r"skpose\[onnx\]"):
        estimator.export(tmp_path / "mouse.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_missing_engine_is_named(path, monkeypatch, engine):
    monkeypatch.setitem(sys.modules, engine, None)
    with pytest.raises(ImportError, match="pip install"):
        ExportedPoseEstimator(path, engine=engine).fit()


def test_the_endings_of_saved_and_exported_files_differ(estimator, path, tmp_path):
    with pytest.raises(ValueError, match="as an exported estimator does"):
        estimator.save(tmp_path / "mouse.onnx")
    with pytest.raises(ValueError, match="as an exported estimator does"):
        Checkpoint(tmp_path / "mouse.onnx")
    with pytest.raises(ValueError, match="no parameters for custom_objects"):
        skpose.load(path, custom_objects={"model": "leap"})


def test_an_unfitted_estimator_cannot_be_exported(tmp_path):
    with pytest.raises(ValueError, match="not fitted"):
        PoseEstimator().export(tmp_path / "mouse.onnx")


@pytest.fixture(scope="module")
def in_8_bits(estimator, poses, path):
    pytest.importorskip("onnxruntime.quantization")
    out = path.with_name("mouse_8.onnx")
    estimator.export(out, calibration=poses.images)
    return out


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_8_bits_move_keypoints_little(estimator, poses, path, in_8_bits, engine):
    pytest.importorskip(engine)
    exported = ExportedPoseEstimator(in_8_bits, engine=engine)
    assert (exported.n_bits_, skpose.load(path).n_bits_) == (8, 32)
    keypoints, confidence = exported.predict(poses.images, return_confidence=True)
    expected = estimator.predict(poses.images, return_confidence=True)
    moved = np.linalg.norm(keypoints - expected[0], axis=2)
    assert 0 < np.median(moved) < 0.3
    np.testing.assert_allclose(confidence, expected[1], atol=0.1)


def test_only_wide_convolutions_take_8_bits(in_8_bits, path):
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(in_8_bits).graph
    made_by = {name: node for node in graph.node for name in node.output}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len(convolutions) == sum(node.op_type == "Conv" for node in onnx.load(path).graph.node)
    for node in convolutions:
        (size,) = (list(a.ints) for a in node.attribute if a.name == "kernel_shape")
        maker = made_by.get(node.input[1])
        has_8_bits = maker is not None and maker.op_type == "DequantizeLinear"
        assert has_8_bits == (size != [1, 1])


def test_images_to_calibrate_on_are_resized_as_others_are(poses, tmp_path, caplog):
    resizer = ImageResizer(scale=0.5, region=(4, 0, 32, 32)).fit(poses.images)
    small = PoseEstimator(ResidualUNet(4), max_epochs=1, random_state=0)
    small.fit(resizer.transform(poses.images), poses.keypoints)
    small.export(tmp_path / "m.onnx", resizer=resizer, calibration=poses.images)
    assert not caplog.records
    exported = skpose.load(tmp_path / "m.onnx")
    assert exported.image_shape_ == (40, 40, 1)
    assert exported.predict(poses.images).shape == poses.keypoints.shape


def test_images_that_nothing_can_be_calibrated_on_are_refused(estimator, poses, tmp_path):
    for images, wrong in (
        (poses.images[:0], "calibration has no images"),
        (poses.images[:, :32], "sees images of 40 x 40 .* those of calibration are 32 x 40"),
        (poses.images.repeat(3, axis=3), "channel"),
    ):
        with pytest.raises(ValueError, match=wrong):
            estimator.export(tmp_path / "m.onnx", calibration=images)
    assert not list(tmp_path.iterdir())
