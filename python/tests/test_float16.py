"""What a conversion to float16 checks, mends and refuses, on networks that half precision breaks."""

import warnings

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import anemone


def save(path, nodes, inputs, outputs, constants):
    graph = helper.make_graph(
        nodes, "network", [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), str(path))
    return path


def layer_norm_of_large_values(path):
    """Magika's failure: the squares that a hand-made layer norm sums leave half's range."""
    random = np.random.default_rng(0)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Mul", ["a", "a"], ["squared"]),
        helper.make_node("ReduceSum", ["squared", "axis"], ["sum"], keepdims=1),
        helper.make_node("Sqrt", ["sum"], ["root"]),
        helper.make_node("Div", ["a", "root"], ["normal"]),
        helper.make_node("MatMul", ["normal", "v"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["y"], axis=1),
    ]
    constants = {"w": (300 * random.standard_normal((32, 64))).astype(np.float32), "axis": np.array([1], np.int64),
                 "v": (4 * random.standard_normal((64, 8))).astype(np.float32)}
    return save(path, nodes, [("x", TensorProto.FLOAT, [1, 32])], [("y", [1, 8])], constants)


def growing(path):
    """Every layer multiplies its values by about 100, as networks with random weights do."""
    random = np.random.default_rng(1)
    nodes, constants, last = [], {}, "image"
    for layer in range(4):
        channels = 3 if layer == 0 else 8
        constants[f"w{layer}"] = (20 * random.standard_normal((8, channels, 3, 3))).astype(np.float32)
        nodes += [helper.make_node("Conv", [last, f"w{layer}"], [f"c{layer}"], pads=[1] * 4),
                  helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"])]
        last = f"r{layer}"
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["y"]))
    return save(path, nodes, [("image", TensorProto.FLOAT, [1, 3, 16, 16])], [("y", [1, 8, 1, 1])], constants)


def fine_quantization(path):
    """Activations of 16 bits, whose steps half does not hold."""
    random = np.random.default_rng(2)
    scale, zero = np.float32(1e-4), np.int16(-7)
    nodes, constants, last = [], {"s": scale, "z": zero}, "image"
    for layer in range(3):
        constants[f"w{layer}"] = (0.3 * random.standard_normal((4, 4, 3, 3))).astype(np.float32)
        nodes += [helper.make_node("QuantizeLinear", [last, "s", "z"], [f"q{layer}"]),
                  helper.make_node("DequantizeLinear", [f"q{layer}", "s", "z"], [f"d{layer}"]),
                  helper.make_node("Conv", [f"d{layer}", f"w{layer}"], [f"c{layer}"], pads=[1] * 4)]
        last = f"c{layer}"
    return save(path, nodes, [("image", TensorProto.FLOAT, [1, 4, 8, 8])], [(last, [1, 4, 8, 8])], constants)


def told(*arguments, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = anemone.convert(*arguments, **options)
    return model, [str(one.message) for one in caught]


def difference(source, model, samples=6):
    """From ONNX Runtime, divided by the range of its outputs, over inputs that the conversion has not seen."""
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    name, shape = session.get_inputs()[0].name, session.get_inputs()[0].shape
    random = np.random.default_rng(77)
    wanted, found = [], []
    for _ in range(samples):
        x = random.standard_normal(shape).astype(np.float32)
        wanted.append(session.run(None, {name: x})[0])
        found.append(next(iter(model.predict({name: x}).values())))
    wanted, found = np.stack(wanted), np.stack(found)
    return np.abs(wanted - found).max() / (wanted.max() - wanted.min())


@pytest.mark.parametrize("make, says", [(layer_norm_of_large_values, "in float32 ("),
                                        (growing, "are scaled by powers of two")])
def test_a_broken_network_is_mended_and_the_cost_is_said(tmp_path, make, says):
    source = make(tmp_path / "net.onnx")
    plain, silence = told(source, compute_precision="float16", keep_float32=["none"])
    assert not silence
    assert not difference(source, plain) < 0.1  # NaN, or far off
    model, lines = told(source, compute_precision="float16")
    assert len(lines) == 1 and says in lines[0] and "otherwise" in lines[0], lines
    assert difference(source, model) < 1e-2


def test_sixteen_bits_are_finer_than_half(tmp_path):
    source = fine_quantization(tmp_path / "net.onnx")
    model, lines = told(source, compute_precision="float16")
    assert not lines
    assert difference(source, model) < 1e-2
    assert "round" not in {op["type"] for op in model.inspect(operators=True)["operators"]}


def test_what_a_pattern_leaves_broken_is_not_written(tmp_path):
    source = layer_norm_of_large_values(tmp_path / "net.onnx")
    output = tmp_path / "net.mlpackage"
    with pytest.raises(anemone.Error) as caught:
        anemone.convert_file(source, output=output, compute_precision="float16", keep_float32=["logits"])
    assert caught.value.code == "unsupported" and "'y'" in caught.value.message
    assert "--keep-float32 none" in caught.value.advice
    assert not output.exists()
    anemone.convert_file(source, output=output, compute_precision="float16", keep_float32=["squared", "sum", "root"])
    assert difference(source, anemone.load(output)) < 1e-2


def test_a_pattern_that_matches_nothing_names_what_comes_near(tmp_path):
    source = layer_norm_of_large_values(tmp_path / "net.onnx")
    with pytest.raises(anemone.Error) as caught:
        anemone.convert(source, compute_precision="float16", keep_float32=["sqaured"])
    assert caught.value.code == "usage" and "'squared'" in caught.value.advice


def test_the_document_and_doctor_give_the_list(tmp_path):
    source = layer_norm_of_large_values(tmp_path / "net.onnx")
    document = anemone.convert_file(source, output=tmp_path / "net.mlpackage", compute_precision="float16")
    found = document["float16"]
    assert found["inputs"] == "4 random inputs" and found["skipped"] is None
    assert found["error_without_keeping"] is None or found["error_without_keeping"] > 1e-2
    assert found["error"] < 1e-2 and "sum" in found["keep_float32"]
    assert 0 < found["float32_share"] < 0.1
    diagnosis = anemone.doctor(source)["model"]["float16"]
    assert diagnosis["keep_float32"] and diagnosis["keep_float32_passed"]


def test_given_inputs_are_run(tmp_path):
    source = growing(tmp_path / "net.onnx")
    (tmp_path / "inputs").mkdir()
    for index in range(3):
        np.save(tmp_path / "inputs" / f"{index}.npy",
                np.random.default_rng(index).standard_normal((1, 3, 16, 16)).astype(np.float32))
    document = anemone.convert_file(source, output=tmp_path / "net.mlpackage", compute_precision="float16",
                                    check_inputs=tmp_path / "inputs")
    assert document["float16"]["inputs"].startswith("3 inputs of ")
