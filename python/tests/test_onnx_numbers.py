"""Numbers at the edges of their types, and names that are no identifiers: as ONNX Runtime has them."""

import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import anemone


def make(path, node, inputs, outputs, initializers=(), opset=18):
    def info(name, dtype, shape):
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)

    graph = helper.make_graph(node if isinstance(node, list) else [node], "g", [info(*one) for one in inputs],
                              [info(*one) for one in outputs],
                              [numpy_helper.from_array(value, name) for name, value in initializers])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return str(path)


def both(path, feeds):
    """What ONNX Runtime gives, and what we give, in float64 or int64."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    wanted = session.run(None, feeds)
    model = anemone.convert(path)
    given = {name: value.astype(np.int32) if value.dtype == bool else value for name, value in feeds.items()}
    found = model.predict(given)
    return wanted, [found[feature.name] for feature in model.outputs]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16"])
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
def test_narrow_integers_wrap(tmp_path, dtype, op):
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    x = np.array([low, high, high, 5, high - 1, low], dtype)
    y = np.array([high, high, 1, 7, 3, 1], dtype)
    path = make(tmp_path / "m.onnx", helper.make_node(op, ["x", "y"], ["z"]), [("x", dtype, [6]), ("y", dtype, [6])],
                [("z", dtype, [6])])
    with np.errstate(over="ignore"):
        wanted = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply}[op](x, y)
    found = anemone.convert(path).predict({"x": x, "y": y})["z"]
    assert found.astype(np.int64).tolist() == wanted.astype(np.int64).tolist()


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_the_lowest_number_of_a_narrow_type_has_no_counterpart(tmp_path, dtype):
    x = np.array([np.iinfo(dtype).min, -7, 7, 5], dtype)
    y = np.array([-1, 2, -2, 5], dtype)
    nodes = [helper.make_node("Div", ["x", "y"], ["q"]), helper.make_node("Abs", ["x"], ["a"]), helper.make_node("Neg", ["x"], ["n"])]
    path = make(tmp_path / "m.onnx", nodes, [("x", dtype, [4]), ("y", dtype, [4])],
                [("q", dtype, [4]), ("a", dtype, [4]), ("n", dtype, [4])])
    found = anemone.convert(path).predict({"x": x, "y": y})
    with np.errstate(over="ignore"):
        quotient = np.trunc(x.astype(np.float64) / y).astype(np.int64).astype(dtype)
        assert found["q"].tolist() == quotient.tolist()
        assert found["a"].tolist() == np.abs(x).tolist()
        assert found["n"].tolist() == np.negative(x).tolist()


def test_a_known_cast_to_half_rounds_too(tmp_path):
    nodes = [helper.make_node("Cast", ["c"], ["h"], to=TensorProto.FLOAT16), helper.make_node("Cast", ["h"], ["f"], to=TensorProto.FLOAT),
             helper.make_node("Add", ["x", "f"], ["y"])]
    path = make(tmp_path / "m.onnx", nodes, [("x", "float32", [3])], [("y", "float32", [3])],
                [("c", np.array([1.0001, 65520, 2049], np.float32))])
    (wanted,), (found,) = both(path, {"x": np.zeros(3, np.float32)})
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("source, target", [("int32", "uint8"), ("int32", "int8"), ("int16", "uint8"), ("uint8", "int8")])
def test_casts_of_integers_wrap(tmp_path, source, target):
    x = np.array([0, 1, 127, 128, 200, 255], np.int64).astype(source)
    to = helper.np_dtype_to_tensor_dtype(np.dtype(target))
    path = make(tmp_path / "m.onnx", helper.make_node("Cast", ["x"], ["y"], to=to), [("x", source, [6])],
                [("y", target, [6])])
    (wanted,), (found,) = both(path, {"x": x})
    assert found.astype(np.int64).tolist() == wanted.astype(np.int64).tolist()


def test_a_cast_to_half_rounds_and_overflows(tmp_path):
    x = np.array([1.0001, 65504, 65520, -1e6, 1e-8, 2049], np.float32)
    nodes = [helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16),
             helper.make_node("Cast", ["h"], ["y"], to=TensorProto.FLOAT)]
    path = make(tmp_path / "m.onnx", nodes, [("x", "float32", [6])], [("y", "float32", [6])])
    (wanted,), (found,) = both(path, {"x": x})
    np.testing.assert_array_equal(found, wanted)


def test_the_logarithm_of_zero_is_minus_infinity(tmp_path):
    path = make(tmp_path / "m.onnx", helper.make_node("Log", ["x"], ["y"]), [("x", "float32", [3])], [("y", "float32", [3])])
    (wanted,), (found,) = both(path, {"x": np.array([0, 1e-40, 2], np.float32)})
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize("op, x", [
    ("Asinh", [0, 1e-20, 1e-6, -1e-3, 0.5, -3, 1e4, 1.0001e4, 2e19, -1e20, 3e38]),
    ("Acosh", [1, 1.0000001, 1.001, 1.5, 3, 1e4, 1.0001e4, 2e19, 1e20, 3e38, 7]),
])
def test_inverse_hyperbolic_functions_are_accurate_everywhere(tmp_path, op, x):
    x = np.array(x, np.float32)
    path = make(tmp_path / "m.onnx", helper.make_node(op, ["x"], ["y"]), [("x", "float32", [11])], [("y", "float32", [11])])
    found = anemone.convert(path).predict({"x": x})["y"]
    exact = {"Asinh": np.arcsinh, "Acosh": np.arccosh}[op](x.astype(np.float64))
    np.testing.assert_allclose(found, exact, rtol=1e-6)


def test_a_constant_beyond_32_bits_is_named(tmp_path):
    path = make(tmp_path / "m.onnx", helper.make_node("Add", ["x", "far"], ["y"]), [("x", "int64", [1])],
                [("y", "int64", [1])], [("far", np.array([1 << 40]))])
    with pytest.raises(anemone.Error, match="'far'.*1099511627776|1099511627776.*'far'"):
        anemone.convert(path)


def test_bounds_beyond_32_bits_bound_nothing(tmp_path):
    info = np.iinfo(np.int64)
    path = make(tmp_path / "m.onnx", helper.make_node("Clip", ["x", "low", "high"], ["y"]), [("x", "int64", [3])],
                [("y", "int64", [3])], [("low", np.array(0)), ("high", np.array(info.max))])
    (wanted,), (found,) = both(path, {"x": np.array([-5, 0, 7])})
    assert found.tolist() == wanted.tolist()


def test_names_need_not_be_identifiers(tmp_path):
    nodes = [helper.make_node("Relu", ["scope/in:0"], ["scope/out:0"]), helper.make_node("Neg", ["scope/in:0"], ["scope/out:1"])]
    path = make(tmp_path / "m.onnx", nodes, [("scope/in:0", "float32", [2])],
                [("scope/out:0", "float32", [2]), ("scope/out:1", "float32", [2])])
    model = anemone.convert(path)
    model.save(tmp_path / "m.mlpackage")
    x = np.array([-1, 2], np.float32)
    for one in (model, anemone.load(tmp_path / "m.mlpackage")):
        assert [feature.name for feature in one.outputs] == ["scope_out_0", "scope_out_1"]
        for name in ("scope_in_0", "scope/in:0"):
            outputs = one.predict({name: x})
            assert outputs["scope_out_0"].tolist() == [0, 2] and outputs["scope_out_1"].tolist() == [1, -2]


def test_an_output_that_is_listed_twice_is_one(tmp_path):
    path = make(tmp_path / "m.onnx", helper.make_node("Relu", ["x"], ["y"]), [("x", "float32", [2])],
                [("y", "float32", [2]), ("y", "float32", [2])])
    assert [feature.name for feature in anemone.convert(path).outputs] == ["y"]


def test_a_newer_opset_is_told_once(tmp_path):
    path = make(tmp_path / "m.onnx", helper.make_node("Relu", ["x"], ["y"]), [("x", "float32", [2])], [("y", "float32", [2])],
                opset=99)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert anemone.convert(path).predict({"x": np.array([-1, 2], np.float32)})["y"].tolist() == [0, 2]
    assert len(told) == 1 and "opset 99 is newer" in str(told[0].message)
    document = anemone.convert_file(path, str(tmp_path / "m.mlpackage"))
    assert len(document["notes"]) == 1 and "opset 99 is newer" in document["notes"][0]
