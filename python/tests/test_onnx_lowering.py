"""Lowerings in MIL text (the option `lowering`): operators of a domain that nobody knows."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import anemone

TEXT = """
// Softmax of a scaled sum with a table, beside its maximum.
lower "com.example" Swoosh(x, table, alpha = 0.5, axis = ?) {
  a = mul(x = x, y = alpha);
  b = add(x = a, y = table);
  y = softmax(x = b, axis = axis);
  z = reduce_max(x = y, axes = [-1], keep_dims = false);
} -> (y, z);
"""


@pytest.fixture
def model(tmp_path):
    table = np.float32([[1, -2, 3]])
    node = helper.make_node("Swoosh", ["x", "table"], ["y", "z"], domain="com.example", alpha=2.0, axis=-1)
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3]),
                               helper.make_tensor_value_info("z", TensorProto.FLOAT, [2])],
                              [numpy_helper.from_array(table, "table")])
    path = tmp_path / "m.onnx"
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return str(path)


def test_a_node_becomes_what_the_text_says(model, tmp_path):
    with pytest.raises(anemone.Error, match="Swoosh"):
        anemone.convert(model)
    text = tmp_path / "swoosh.txt"
    text.write_text(TEXT)
    converted = anemone.convert(model, lowering=[str(text)])
    x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    found = converted.predict({"x": x})
    wanted = np.exp(2 * x + np.float32([[1, -2, 3]]))
    wanted /= wanted.sum(-1, keepdims=True)
    np.testing.assert_allclose(found["y"], wanted, atol=1e-6)
    np.testing.assert_allclose(found["z"], wanted.max(-1), atol=1e-6)


def test_an_error_names_the_file_and_the_line(model, tmp_path):
    text = tmp_path / "swoosh.txt"
    text.write_text(TEXT.replace("softmax(x = b", "softmax(x = c"))
    with pytest.raises(anemone.Error, match="line 6") as caught:
        anemone.convert(model, lowering=[str(text)])
    assert "'c' is not defined here" in str(caught.value)
    text.write_text("lower Swoosh(x")
    with pytest.raises(anemone.Error, match="swoosh.txt"):
        anemone.convert(model, lowering=[str(text)])
