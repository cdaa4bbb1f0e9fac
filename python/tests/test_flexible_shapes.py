"""Open dimensions from the ONNX file to the prediction: one package, many shapes, against ONNX Runtime."""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import anemone

ORACLE = Path(__file__).parents[2] / "tests" / "oracle"


def save(path, nodes, inputs, outputs, initializers=(), opset=17):
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(*one) for one in inputs],
                              [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs],
                              [numpy_helper.from_array(value, name) for name, value in initializers])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return str(path)


def convert(path, shapes, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return anemone.convert(path, input_shapes=shapes, **options)


def check(path, package, feeds, tolerance=1e-5):
    """One package, reloaded, gives what ONNX Runtime gives for each of `feeds`."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    model = anemone.load(package)
    for feed in feeds:
        wanted = session.run(None, feed)
        found = model.predict({name: value.astype(np.int32) if value.dtype == np.int64 else value
                               for name, value in feed.items()})
        for output, expected in zip(session.get_outputs(), wanted):
            assert found[output.name].shape == expected.shape
            span = max(float(np.ptp(expected)), 1e-6)
            assert float(np.abs(found[output.name] - expected).max()) / span <= tolerance


@pytest.fixture
def attention(tmp_path):
    """Attention as exporters write it: positions cut to the length, heads split by computed shapes, a mask."""
    random = np.random.default_rng(0)
    node = helper.make_node

    def weight(*shape):
        return random.standard_normal(shape).astype(np.float32) * 0.3

    nodes = [
        node("Shape", ["tokens"], ["shape"]), node("Gather", ["shape", "zero"], ["batch"]),
        node("Gather", ["shape", "one"], ["length"]), node("Unsqueeze", ["batch", "axis0"], ["b"]),
        node("Unsqueeze", ["length", "axis0"], ["n"]), node("Gather", ["words", "tokens"], ["embedded"]),
        node("Slice", ["positions", "from", "n", "axis0"], ["cut"]), node("Add", ["embedded", "cut"], ["x"]),
        node("MatMul", ["x", "wq"], ["q0"]), node("MatMul", ["x", "wk"], ["k0"]),
        node("Concat", ["b", "n", "heads", "rest"], ["split"], axis=0),
        node("Reshape", ["q0", "split"], ["q1"]), node("Reshape", ["k0", "split"], ["k1"]),
        node("Transpose", ["q1"], ["q"], perm=[0, 2, 1, 3]), node("Transpose", ["k1"], ["k"], perm=[0, 2, 3, 1]),
        node("MatMul", ["q", "k"], ["scores"]), node("Unsqueeze", ["mask", "axes12"], ["m0"]),
        node("Cast", ["m0"], ["m1"], to=TensorProto.FLOAT), node("Sub", ["onef", "m1"], ["m2"]),
        node("Mul", ["m2", "low"], ["m3"]), node("Add", ["scores", "m3"], ["masked"]),
        node("Softmax", ["masked"], ["p"], axis=-1), node("Transpose", ["k"], ["v"], perm=[0, 1, 3, 2]),
        node("MatMul", ["p", "v"], ["c0"]), node("Transpose", ["c0"], ["c1"], perm=[0, 2, 1, 3]),
        node("Concat", ["b", "n", "rest"], ["joined"], axis=0), node("Reshape", ["c1", "joined"], ["y"]),
    ]
    initializers = [("words", weight(30, 16)), ("positions", weight(64, 16)), ("wq", weight(16, 16)),
                    ("wk", weight(16, 16)), ("onef", np.float32(1)), ("low", np.float32(-1e4)),
                    ("zero", np.int64(0)), ("one", np.int64(1)), ("axis0", np.array([0])), ("from", np.array([0])),
                    ("heads", np.array([4])), ("rest", np.array([-1])), ("axes12", np.array([1, 2]))]
    path = save(tmp_path / "attention.onnx", nodes,
                [("tokens", TensorProto.INT64, ["batch", "length"]), ("mask", TensorProto.INT64, ["batch", "length"])],
                [("y", TensorProto.FLOAT)], initializers)

    def feed(batch, length):
        return {"tokens": random.integers(0, 30, (batch, length)),
                "mask": (np.arange(length)[None] < random.integers(1, length + 1, (batch, 1))).astype(np.int64)}

    return path, feed


SHAPES = [(1, 1), (1, 64), (4, 1), (4, 64), (2, 7), (3, 33)]


@pytest.mark.parametrize("target", ["iOS15", "iOS17", "iOS18"])
def test_ranges_of_batch_and_length(attention, tmp_path, target):
    path, feed = attention
    package = str(tmp_path / "m.mlpackage")
    # The other input shares the names of the dimensions.
    convert(path, {"tokens": "[1..4=2]x[1..64=12]"}, minimum_deployment_target=target).save(package)
    check(path, package, [feed(*shape) for shape in SHAPES])
    with pytest.raises(anemone.Error, match="not in allowed range"):
        anemone.load(package).predict({name: value.astype(np.int32) for name, value in feed(1, 65).items()})


def test_half_precision_keeps_the_sizes(attention, tmp_path):
    path, feed = attention
    package = str(tmp_path / "m.mlpackage")
    convert(path, {"tokens": (2, "1..64=12")}, compute_precision="float16").save(package)
    check(path, package, [feed(2, length) for length in (1, 5, 64)], tolerance=1e-2)


def test_the_interface_is_what_coremltools_reads(attention, tmp_path):
    from coremltools.models.utils import load_spec

    path, _ = attention
    package = str(tmp_path / "m.mlpackage")
    convert(path, {"tokens": "2x[1..64=12]"}).save(package)
    array = load_spec(package).description.input[0].type.multiArrayType
    assert list(array.shape) == [2, 12]
    assert [(one.lowerBound, one.upperBound) for one in array.shapeRange.sizeRanges] == [(2, 2), (1, 64)]
    convert(path, {"tokens": "2x[8|16|64=16]"}, minimum_deployment_target="iOS18").save(package)
    array = load_spec(package).description.input[1].type.multiArrayType
    assert list(array.shape) == [2, 16]
    assert sorted(list(shape.shape) for shape in array.enumeratedShapes.shapes) == [[2, 8], [2, 16], [2, 64]]


def test_listed_shapes(attention, tmp_path):
    path, feed = attention
    package = str(tmp_path / "m.mlpackage")
    convert(path, {"tokens": "2x[8|16|64]"}, minimum_deployment_target="iOS18").save(package)
    check(path, package, [feed(2, length) for length in (8, 64, 16)])
    with pytest.raises(anemone.Error, match="not in enumerated set"):
        anemone.load(package).predict({name: value.astype(np.int32) for name, value in feed(2, 9).items()})


def test_images_of_any_size(tmp_path):
    """Strides, a resize to the size of another tensor, pads and a global mean, at sizes that do not divide."""
    random = np.random.default_rng(1)
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1"], ["a"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]), node("Relu", ["a"], ["b"]),
        node("MaxPool", ["b"], ["c"], kernel_shape=[3, 3], strides=[2, 2]),
        node("GlobalAveragePool", ["c"], ["g"]), node("Mul", ["c", "g"], ["d"]),
        node("Shape", ["b"], ["sb"]), node("Slice", ["sb", "two", "four", "axis"], ["hw"]),
        node("Shape", ["d"], ["sd"]), node("Slice", ["sd", "zero", "two", "axis"], ["nc"]),
        node("Concat", ["nc", "hw"], ["sizes"], axis=0),
        node("Resize", ["d", "", "", "sizes"], ["e"], mode="linear", coordinate_transformation_mode="half_pixel"),
        node("Concat", ["e", "b"], ["f"], axis=1),
        node("Resize", ["f", "", "scales"], ["y"], mode="nearest", coordinate_transformation_mode="asymmetric",
             nearest_mode="floor"),
    ]
    path = save(tmp_path / "images.onnx", nodes, [("x", TensorProto.FLOAT, ["batch", 3, "height", "width"])],
                [("y", TensorProto.FLOAT)],
                [("w1", random.standard_normal((4, 3, 3, 3)).astype(np.float32)), ("two", np.array([2])),
                 ("four", np.array([4])), ("zero", np.array([0])), ("axis", np.array([0])),
                 ("scales", np.array([1, 1, 2, 2], np.float32))])
    model = convert(path, {"x": "[1..2]x3x?x?"})
    package = str(tmp_path / "m.mlpackage")
    model.save(package)
    # '?' begins where the windows fit.
    description = anemone.load(package).inspect()["inputs"][0]["text"]
    assert "5 to 2048" in description, description
    check(path, package, [{"x": random.standard_normal((batch, 3, height, width)).astype(np.float32)}
                          for batch, height, width in ((1, 5, 5), (2, 31, 64), (1, 40, 17), (2, 7, 100))])


def test_what_needs_a_number_is_refused_by_name(tmp_path):
    path = save(tmp_path / "eye.onnx", [helper.make_node("EyeLike", ["x"], ["y"])],
                [("x", TensorProto.FLOAT, ["rows", 4])], [("y", TensorProto.FLOAT)])
    with pytest.raises(anemone.Error, match="EyeLike needs dimension 0 of its input 'x'.*rows") as caught:
        convert(path, {"x": "[1..8]x4"})
    assert caught.value.code == "unsupported"
    np.testing.assert_array_equal(convert(path, {"x": (3, 4)}).predict({"x": np.zeros((3, 4), np.float32)})["y"],
                                  np.eye(3, 4, dtype=np.float32))


def test_the_user_is_told_once(tmp_path):
    path = save(tmp_path / "relu.onnx", [helper.make_node("Relu", ["x"], ["y"])],
                [("x", TensorProto.FLOAT, ["n", 4])], [("y", TensorProto.FLOAT)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        anemone.convert(path, input_shapes={"x": "?x4"})
    texts = [str(one.message) for one in caught if "flexible shapes" in str(one.message)]
    assert len(texts) == 1 and "Neural Engine" in texts[0] and "2048" in texts[0], texts


def test_only_onnx_becomes_flexible(attention, tmp_path):
    path, _ = attention
    package = str(tmp_path / "m.mlpackage")
    convert(path, {"tokens": (2, 8)}).save(package)
    with pytest.raises(anemone.Error, match="only the conversion of an ONNX or PyTorch model"):
        anemone.load(package, input_shapes={"tokens": "2x[1..8]"})


def test_tools_take_the_default(attention, tmp_path):
    path, _ = attention
    package = str(tmp_path / "m.mlpackage")
    convert(path, {"tokens": "2x[1..64=12]"}).save(package)
    # The graph's own open shapes follow the package's defaults.
    compared = anemone.compare(path, package, samples=1)
    assert all(row["passed"] for row in compared["outputs"])
    assert anemone.bench(package, iterations=2, warmup=1)["schema"] == "anemone.bench"
    assert json.dumps(anemone.doctor(package))


@pytest.mark.parametrize("only", ["test_reshape", "test_slice", "test_expand", "test_split", "test_gather",
                                  "test_attention_4d_causal", "test_lstm", "test_resize_upsample"])
def test_nodes_with_open_dimensions(only):
    """A sample of tests/oracle/flexible_nodes.py, which runs all of ONNX's node tests so."""
    sys.path.insert(0, str(ORACLE))
    try:
        import flexible_nodes
        results = flexible_nodes.run_all(only)
    finally:
        sys.path.remove(str(ORACLE))
    bad = [one for one in results if one[2].state not in ("passed", "refused", "disputed")]
    assert results and not bad, bad
    assert any(outcome.state == "passed" for _, _, outcome in results)
