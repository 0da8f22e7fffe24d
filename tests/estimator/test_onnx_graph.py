import numpy as np
import pytest

from skpose.estimator._onnx_graph import simplify

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def make_model(nodes, constants, shape=("n", 4, 6, 1)):
    made = [
        onnx.helper.make_node(kind, inputs.split(), outputs.split(), **options)
        for kind, inputs, outputs, options in nodes
    ]
    graph = onnx.helper.make_graph(
        made,
        "test",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.UINT8, shape)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None] * 4)],
        [onnx.numpy_helper.from_array(np.array(v), name) for name, v in constants.items()],
    )
    opsets = [onnx.helper.make_opsetid("", 15)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)


def run(model, x):
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": x})[0]


def kinds(model):
    return [node.op_type for node in model.graph.node]


CAST = ("Cast", "x", "f", {"to": 1})
SCALE = [("Mul", "f a", "g", {}), ("Add", "g b", "h", {})]
CONSTANTS = {"a": np.float32(0.5), "b": np.float32(-1), "shape": np.int64([-1, 1, 4, 6])}


@pytest.fixture
def x():
    return np.random.default_rng(0).integers(0, 256, (3, 4, 6, 1), dtype=np.uint8)


def test_the_channel_is_put_in_front_before_images_are_scaled(x):
    nodes = [CAST, *SCALE, ("Reshape", "h shape", "r", {}), ("Relu", "r", "y", {})]
    model = make_model(nodes, CONSTANTS)
    expected = run(model, x)
    simplify(model)
    assert kinds(model) == ["Reshape", "Cast", "Mul", "Add", "Relu"]
    np.testing.assert_array_equal(run(model, x), expected)


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        # what is scaled is needed as it was
        (
            [CAST, *SCALE, ("Reshape", "h shape", "r", {}), ("ReduceMax", "g", "m", {})]
            + [("Add", "r m", "y", {})],
            {},
        ),
        # columns are not scaled alike
        ([CAST, SCALE[0], ("Reshape", "g shape", "y", {})], {"a": np.float32([[1], [2]] * 3)}),
        # there is nothing before it
        ([("Reshape", "x shape", "r", {}), ("Cast", "r", "y", {"to": 1})], {}),
        ([CAST, ("Relu", "f", "y", {})], {}),
    ],
)
def test_other_changes_of_shape_stay_where_they_are(nodes, constants, x):
    model = make_model(nodes, {**CONSTANTS, **constants})
    before, expected = kinds(model), run(model, x)
    simplify(model)
    assert kinds(model) == before
    np.testing.assert_array_equal(run(model, x), expected)


def make_choice(second, sum_of="p q"):
    """A model that adds products with two conditions: above a limit, and a second one."""
    nodes = [
        CAST,
        SCALE[0],
        ("Greater", "f limit", "c", {}),
        second,
        ("Cast", "c", "yes", {"to": 1}),
        ("Cast", "d", "no", {"to": 1}),
        ("Mul", "yes f", "p", {}),
        ("Mul", "g no", "q", {}),
        ("Add", sum_of, "y", {}),
    ]
    return make_model(nodes, {**CONSTANTS, "limit": np.float32(100)})


@pytest.mark.parametrize("sum_of", ["p q", "q p"])
def test_products_with_a_condition_and_its_opposite_become_a_choice(x, sum_of):
    model = make_choice(("Not", "c", "d", {}), sum_of)
    expected = run(model, x)
    simplify(model)
    assert sorted(kinds(model)) == ["Cast", "Greater", "Mul", "Where"]
    np.testing.assert_array_equal(run(model, x), expected)


def test_products_with_two_conditions_stay():
    model = make_choice(("Less", "f limit", "d", {}))
    before = kinds(model)
    simplify(model)
    assert kinds(model) == before


def test_what_leads_nowhere_is_left_out():
    model = make_model([CAST, SCALE[0], ("Relu", "f", "y", {})], CONSTANTS)
    simplify(model)
    assert kinds(model) == ["Cast", "Relu"]
