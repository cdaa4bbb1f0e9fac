"""GRUs as PyTorch exports them (linear_before_reset) for targets before Core ML had such an operator: written out or looped."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import anemone

RANDOM = np.random.default_rng(11)
INPUT, HIDDEN = 3, 4


def gru(tmp_path, direction, outputs, length="n", batch=2, before_reset=1):
    """The path of a model whose GRU has random weights."""
    directions = 2 if direction == "bidirectional" else 1
    weights = {"w": (directions, 3 * HIDDEN, INPUT), "r": (directions, 3 * HIDDEN, HIDDEN), "b": (directions, 6 * HIDDEN)}
    initializers = [numpy_helper.from_array(RANDOM.standard_normal(shape).astype(np.float32), name) for name, shape in weights.items()]
    node = helper.make_node("GRU", ["x", "w", "r", "b", "", "h"], outputs, hidden_size=HIDDEN, direction=direction,
                            linear_before_reset=before_reset)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [length, batch, INPUT]),
              helper.make_tensor_value_info("h", TensorProto.FLOAT, [directions, batch, HIDDEN])]
    graph = helper.make_graph([node], "g", inputs, [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
                                                    for name in outputs if name], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    path = str(tmp_path / "gru.onnx")
    onnx.save(model, path)
    return path


def check(path, package, lengths, directions, batch=2):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    model = anemone.load(package)
    for length in lengths:
        feed = {"x": RANDOM.standard_normal((length, batch, INPUT)).astype(np.float32),
                "h": RANDOM.standard_normal((directions, batch, HIDDEN)).astype(np.float32)}
        found = model.predict(feed)
        for name, wanted in zip(names, session.run(None, feed)):
            np.testing.assert_allclose(found[name], wanted, atol=1e-5, err_msg=f"{name} of {length} steps")


@pytest.mark.parametrize("target", ["iOS15", "iOS17"])
@pytest.mark.parametrize("outputs", [["y", "last"], ["", "last"], ["y"]], ids=["both", "last", "sequence"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_as_many_steps_as_the_run_time_says(tmp_path, direction, outputs, target):
    path, package = gru(tmp_path, direction, outputs), str(tmp_path / "gru.mlpackage")
    anemone.convert(path, input_shapes={"x": f"[1..60]x2x{INPUT}"}, minimum_deployment_target=target).save(package)
    check(path, package, (1, 2, 33, 60), 2 if direction == "bidirectional" else 1)


@pytest.mark.parametrize("steps", [2, 32, 33, 100])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_few_steps_are_written_out_and_many_are_a_loop(tmp_path, direction, steps):
    path, package = gru(tmp_path, direction, ["y", "last"], steps), str(tmp_path / "gru.mlpackage")
    document = anemone.convert_file(path, output=package)
    assert any("becomes a loop" in note for note in document["notes"]) == (steps > 32)
    check(path, package, (steps,), 2 if direction == "bidirectional" else 1)


def test_the_batch_may_be_open_too(tmp_path):
    path, package = gru(tmp_path, "forward", ["y", "last"], batch="b"), str(tmp_path / "gru.mlpackage")
    anemone.convert(path, input_shapes={"x": f"[1..60]x[1..4]x{INPUT}"}).save(package)
    for batch in (1, 3):
        check(path, package, (1, 40), 1, batch)


def test_half_precision_is_close(tmp_path):
    path, package = gru(tmp_path, "forward", ["y", "last"]), str(tmp_path / "gru.mlpackage")
    anemone.convert(path, input_shapes={"x": f"[1..60]x2x{INPUT}"}, compute_precision="float16").save(package)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {"x": RANDOM.standard_normal((50, 2, INPUT)).astype(np.float32), "h": np.zeros((1, 2, HIDDEN), np.float32)}
    found = anemone.load(package).predict(feed)
    for name, wanted in zip(("y", "last"), session.run(None, feed)):
        np.testing.assert_allclose(found[name], wanted, atol=1e-2)
