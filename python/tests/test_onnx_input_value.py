"""Inputs of ONNX models that the caller fixes: input_value, against ONNX Runtime fed the same values."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import anemone


@pytest.fixture
def model(tmp_path):
    """As speech detectors are: a branch for each rate, a scale, a bias for each column."""
    def branch(name, op):
        return helper.make_graph([helper.make_node(op, ["scaled"], [name])], name, [],
                                 [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)])

    nodes = [
        helper.make_node("Constant", [], ["fast"], value_int=16000),
        helper.make_node("Equal", ["sr", "fast"], ["is_fast"]),
        helper.make_node("Mul", ["x", "scale"], ["scaled"]),
        helper.make_node("If", ["is_fast"], ["z"], then_branch=branch("a", "Tanh"), else_branch=branch("b", "Exp")),
        helper.make_node("Add", ["z", "bias"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info(*info) for info in (
        ("x", TensorProto.FLOAT, [2, 3]), ("sr", TensorProto.INT64, []), ("scale", TensorProto.FLOAT, [1]),
        ("bias", TensorProto.FLOAT, [3]))]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])])
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return str(path)


def wanted(path, x, rate, scale, bias):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x, "sr": np.array(rate, np.int64), "scale": np.float32([scale]), "bias": np.float32(bias)})[0]


@pytest.mark.parametrize("rate", [16000, 8000])
def test_known_inputs_are_gone(model, tmp_path, rate):
    np.save(tmp_path / "bias.npy", np.float32([1, -2, 0.5]))
    converted = anemone.convert(model, input_value=[f"sr={rate}", "scale=0.25", f"bias={tmp_path / 'bias.npy'}"])
    assert [feature.name for feature in converted.inputs] == ["x"]
    x = np.linspace(-2, 2, 6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_allclose(converted.predict({"x": x})["y"], wanted(model, x, rate, 0.25, [1, -2, 0.5]), atol=1e-6)


def test_a_list_has_the_shape_of_the_input(model):
    converted = anemone.convert(model, input_value=["sr=1", "bias=[1, 2.5, -3]"])
    assert [feature.name for feature in converted.inputs] == ["x", "scale"]
    x = np.ones((2, 3), np.float32)
    found = converted.predict({"x": x, "scale": np.float32([0.5])})["y"]
    np.testing.assert_allclose(found, wanted(model, x, 1, 0.5, [1, 2.5, -3]), atol=1e-6)


@pytest.mark.parametrize("value, text", [
    ("rate=1", "the inputs are x, sr, scale, bias"), ("sr=fast", "not NAME=VALUE"), ("sr", "not NAME=VALUE"),
    ("sr=0.5", "not a whole number"), ("bias=[1,2]", r"has the shape \[2\]"), ("bias=none.npy", "no such file"),
])
def test_what_does_not_fit_is_refused(model, value, text):
    with pytest.raises(anemone.Error, match=text):
        anemone.convert(model, input_value=[value])


def test_only_onnx_models_have_inputs_to_fix(model, tmp_path):
    package = str(tmp_path / "m.mlpackage")
    anemone.convert(model, input_value=["sr=1"]).save(package)
    with pytest.raises(anemone.Error, match="not an ONNX or PyTorch model"):
        anemone.convert(package, input_value=["x=1"])
