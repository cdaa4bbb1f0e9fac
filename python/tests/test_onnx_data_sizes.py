"""ONNX operators whose output has a size that depends on the data, and what reads it, as ONNX Runtime computes them."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import anemone

RANDOM = np.random.default_rng(5)
X = RANDOM.standard_normal((4, 5)).astype(np.float32)


def constant(name, value, kind=np.float32):
    return numpy_helper.from_array(np.array(value, kind), name)


def both(tmp_path, nodes, outputs, initializers, inputs, target="iOS17"):
    """Our outputs and ONNX Runtime's, by name."""
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in inputs.items()]
    graph = helper.make_graph(nodes, "g", infos, [helper.make_tensor_value_info(name, kind, None)
                                                  for name, kind in outputs.items()], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    path = str(tmp_path / "m.onnx")
    onnx.save(model, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    wanted = dict(zip(outputs, session.run(list(outputs), inputs)))
    package = str(tmp_path / "m.mlpackage")
    anemone.convert(path, minimum_deployment_target=target).save(package)
    return anemone.load(package).predict(inputs), wanted


@pytest.mark.parametrize("x", [X, -np.abs(X), np.abs(X)], ids=["some", "none", "all"])
def test_a_mask_picks_elements(tmp_path, x):
    nodes = [helper.make_node("Greater", ["x", "zero"], ["mask"]), helper.make_node("NonZero", ["mask"], ["columns"]),
             helper.make_node("Transpose", ["columns"], ["places"], perm=[1, 0]),
             helper.make_node("GatherND", ["x", "places"], ["y"]), helper.make_node("Shape", ["y"], ["count"])]
    found, wanted = both(tmp_path, nodes, {"columns": TensorProto.INT64, "y": TensorProto.FLOAT, "count": TensorProto.INT64},
                         [constant("zero", 0)], {"x": x})
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value)


def test_rows_that_a_condition_keeps_go_on(tmp_path):
    nodes = [helper.make_node("ReduceMax", ["x"], ["largest"], axes=[1], keepdims=0),
             helper.make_node("Greater", ["largest", "one"], ["keep"]),
             helper.make_node("Compress", ["x", "keep"], ["kept"], axis=0),
             helper.make_node("MatMul", ["kept", "w"], ["z"]), helper.make_node("Softmax", ["z"], ["y"], axis=0)]
    w = numpy_helper.from_array(RANDOM.standard_normal((5, 3)).astype(np.float32), "w")
    found, wanted = both(tmp_path, nodes, {"kept": TensorProto.FLOAT, "y": TensorProto.FLOAT}, [constant("one", 1), w], {"x": X})
    assert 0 < len(wanted["kept"]) < 4
    np.testing.assert_array_equal(found["kept"], wanted["kept"])
    np.testing.assert_allclose(found["y"], wanted["y"], atol=1e-6)


@pytest.mark.parametrize("target", ["iOS15", "iOS17"])
@pytest.mark.parametrize("center", [0, 1])
@pytest.mark.parametrize("images, classes, most, score", [(1, 1, 50, 0.0), (2, 3, 4, 0.4), (1, 4, 1, 0.9), (1, 2, 10, 2.0)])
def test_boxes_are_picked_as_onnx_runtime_picks_them(tmp_path, target, center, images, classes, most, score):
    corners = RANDOM.uniform(0, 10, (images, 40, 4)).astype(np.float32)
    scores = RANDOM.uniform(0, 1, (images, classes, 40)).astype(np.float32)
    nodes = [helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", "overlap", "least"], ["picked"],
                              center_point_box=center)]
    found, wanted = both(tmp_path, nodes, {"picked": TensorProto.INT64},
                         [constant("most", [most], np.int64), constant("overlap", [0.3]), constant("least", [score])],
                         {"boxes": corners, "scores": scores}, target)
    assert (len(wanted["picked"]) == 0) == (score > 1)
    np.testing.assert_array_equal(found["picked"], wanted["picked"])


@pytest.mark.parametrize("target", ["iOS15", "iOS17"])
@pytest.mark.parametrize("ordered", [0, 1])
@pytest.mark.parametrize("shape, axis", [((1,), None), ((40,), None), ((3, 4, 5), None), ((9, 2), 0), ((2, 9), -1), ((2, 7, 2), 1), ((8,), 0)])
def test_equal_elements_and_slices_once(tmp_path, shape, axis, ordered, target):
    attributes = {"sorted": ordered} if axis is None else {"sorted": ordered, "axis": axis}
    nodes = [helper.make_node("Unique", ["x"], ["y", "indices", "inverse", "counts"], **attributes),
             helper.make_node("Shape", ["y"], ["size"])]
    kinds = {"y": TensorProto.FLOAT} | dict.fromkeys(("indices", "inverse", "counts", "size"), TensorProto.INT64)
    # Few numbers, so that some are equal; -0 equals 0.
    x = np.round(RANDOM.uniform(-1.4, 1.4, shape)).astype(np.float32)
    found, wanted = both(tmp_path, nodes, kinds, [], {"x": x}, target)
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
