"""Integers of 64 bits, where Core ML has 32: what fits is ONNX Runtime's number, what does not is an error or is clamped."""

import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import anemone

from test_fetch import COMMAND

INT64 = TensorProto.INT64


def saved(path, nodes, initializers=()):
    info = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "g", [info("x", INT64, [3])], [info("y", INT64, [3])], initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))
    return str(path)


def wanted(path, x):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


@pytest.mark.parametrize("packaged", [False, True])
def test_results_are_the_same_or_an_error(tmp_path, packaged):
    path = saved(tmp_path / "m.onnx", [
        helper.make_node("Mul", ["x", "x"], ["square"]), helper.make_node("Constant", [], ["c"], value_int=7),
        helper.make_node("Sub", ["square", "c"], ["y"])])
    model = anemone.convert(path)
    if packaged:
        model.save(str(tmp_path / "m.mlpackage"))
        model = anemone.load(str(tmp_path / "m.mlpackage"))
    fits = np.array([3, -46340, 0], np.int64)
    np.testing.assert_array_equal(model.predict({"x": fits})["y"], wanted(path, fits))
    with pytest.raises(anemone.Error, match="mul 'square': its result, about .* does not fit in the 32 bits"):
        model.predict({"x": np.array([3, 65536, 0], np.int64)})
    np.testing.assert_array_equal(model.predict({"x": fits})["y"], wanted(path, fits))


def test_constants_are_an_error_or_clamped(tmp_path):
    sentinel = helper.make_tensor("far", INT64, [3], [2**62, -(2**62), 5])
    path = saved(tmp_path / "m.onnx", [helper.make_node("Where", ["low", "x", "far"], ["y"])],
                 [sentinel, helper.make_tensor("low", TensorProto.BOOL, [3], [False, False, False])])
    x = np.array([1, 2, 3], np.int64)
    np.testing.assert_array_equal(wanted(path, x), [2**62, -(2**62), 5])
    with pytest.raises(anemone.Error, match="holds 4611686018427387904.*\n.*|--clamp-int64"):
        anemone.convert(path)
    with pytest.warns(UserWarning, match="'far' holds 4611686018427387904, which 32 bits cannot: clamped"):
        model = anemone.convert(path, clamp_int64=True)
    np.testing.assert_array_equal(model.predict({"x": x})["y"], [2**31 - 1, -(2**31), 5])
    with pytest.raises(anemone.Error, match="no integers of 64 bits"):
        model.save(str(tmp_path / "m.mlpackage"))
        anemone.convert(str(tmp_path / "m.mlpackage"), clamp_int64=True)


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2**40])
def test_inputs_that_do_not_fit_are_an_error(tmp_path, value):
    path = saved(tmp_path / "m.onnx", [helper.make_node("Identity", ["x"], ["y"])])
    x = np.array([1, value, 3], np.int64)
    with pytest.raises(anemone.Error, match=f"{value} at 1 does not fit"):
        anemone.load(path).predict({"x": x})


@pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")
def test_a_file_that_does_not_fit_is_an_error(tmp_path):
    path = saved(tmp_path / "m.onnx", [helper.make_node("Identity", ["x"], ["y"])])
    np.save(tmp_path / "x.npy", np.array([1, 2**40, 3], np.int64))
    done = subprocess.run([COMMAND, "run", path, "--input", f"x={tmp_path / 'x.npy'}"], capture_output=True, text=True)
    assert done.returncode == 2 and f"{2**40} at 1 does not fit" in done.stderr, done.stderr


@pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")
@pytest.mark.parametrize("lost", [None, "coremldata.bin"])
def test_a_compiled_folder_is_checked_too(tmp_path, lost):
    path = saved(tmp_path / "m.onnx", [helper.make_node("Mul", ["x", "x"], ["y"])])
    anemone.convert(path).save(str(tmp_path / "m.mlpackage"))
    compiled = tmp_path / "m.mlmodelc"
    subprocess.run([COMMAND, "compile", tmp_path / "m.mlpackage", "-o", compiled], check=True, capture_output=True)
    if lost:  # then metadata.json describes it
        (compiled / lost).unlink()
    np.save(tmp_path / "x.npy", np.array([3, 65536, 0], np.int64))
    done = subprocess.run([COMMAND, "run", compiled, "--input", f"x={tmp_path / 'x.npy'}"], capture_output=True, text=True)
    assert done.returncode == 3 and "mul 'y': its result, about" in done.stderr, done.stderr
