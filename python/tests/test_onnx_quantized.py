"""Quantized ONNX graphs: their weights stay quantized, and each layer is ONNX Runtime's to one quantum.

The whole campaign is tests/oracle/quantized_graphs.py; here is one small network for each form of quantization.
"""

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


@pytest.fixture(scope="module")
def campaign():
    sys.path.insert(0, str(ORACLE))
    try:
        import quantized_graphs
        yield quantized_graphs
    finally:
        sys.path.remove(str(ORACLE))


def counts(model):
    """How often each operator occurs in the converted program."""
    return model.inspect()["operator_counts"]


@pytest.mark.parametrize("network, method, largest_share", [
    ("convnet", "QDQ int8 int8 channel", 1.2), ("upsampler", "QDQ uint8 int8", 1.6),
    ("mlp", "QDQ int8 int4 channel", 1.05), ("mlp", "QDQ uint8 int8 pairs", 0.3),
    ("convnet", "QOperator uint8 int8", 1.3), ("transformer", "QOperator int8 int8 channel", 1.1),
    ("convnet", "dynamic int8", 1.4), ("transformer", "dynamic int8 channel", 1.1),
    ("mlp", "MatMulNBits 4 32", 1.05), ("mlp", "MatMulNBits 8 64", 1.05), ("transformer", "blocks 4 32", 1.05),
])
def test_each_form_of_quantization(campaign, tmp_path, network, method, largest_share):
    """The files are small, so that the program's own text is a larger share of the package than in a real network."""
    chosen = next(one for one in campaign.NETWORKS if one.name == network)
    outcome = campaign.check(chosen, method, str(tmp_path))
    assert outcome.state == "converted", outcome
    assert outcome.layers > 0 and outcome.layer <= 1, outcome
    assert outcome.package_bytes <= largest_share * outcome.source_bytes, outcome


@pytest.mark.parametrize("method, target, words", [
    ("QDQ uint8 int8", "iOS15", "which iOS16 and later hold"),
    ("QDQ int8 int4 channel", "iOS17", "to 4 bits, which iOS18 and later hold"),
    ("MatMulNBits 8 64", "iOS17", "in blocks, which iOS18 and later hold"),
])
def test_an_older_target_names_the_lowest_one(campaign, tmp_path, method, target, words):
    chosen = next(one for one in campaign.NETWORKS if one.name == "mlp")
    outcome = campaign.check(chosen, method, str(tmp_path), target)
    assert outcome.state == "refused" and words in outcome.reason, outcome


def test_activations_before_quantize_are_arithmetic(campaign, tmp_path):
    chosen = next(one for one in campaign.NETWORKS if one.name == "mlp")
    outcome = campaign.check(chosen, "QDQ int8 int8 channel", str(tmp_path), "iOS16")
    assert outcome.state == "converted" and outcome.layer <= 1, outcome


def linear(tmp_path, weights, scale, zero=None, target="iOS18", **attributes):
    """y = x * DequantizeLinear(weights), and the weights in float."""
    inputs = ["w", "s"] + (["z"] if zero is not None else [])
    nodes = [helper.make_node("DequantizeLinear", inputs, ["d"], **attributes), helper.make_node("MatMul", ["x", "d"], ["y"])]
    known = [weights, numpy_helper.from_array(scale, "s")] + ([zero] if zero is not None else [])
    rows, columns = weights.dims
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, rows])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, columns])], known)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    model.ir_version = 10
    path = str(tmp_path / "m.onnx")
    onnx.save(model, path)
    converted = anemone.convert(path, minimum_deployment_target=target)
    return converted, converted.predict({"x": np.eye(rows, dtype=np.float32)})["y"]


@pytest.mark.parametrize("kind", [TensorProto.INT4, TensorProto.UINT4, TensorProto.INT8, TensorProto.UINT8])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("with_zero", [False, True])
def test_blocks_of_every_type(tmp_path, kind, axis, with_zero):
    random = np.random.default_rng(5)
    bits = 4 if kind in (TensorProto.INT4, TensorProto.UINT4) else 8
    signed = kind in (TensorProto.INT4, TensorProto.INT8)
    low = -(1 << (bits - 1)) if signed else 0
    values = random.integers(low, low + (1 << bits), (24, 32))
    shape = (3, 32) if axis == 0 else (24, 4)
    scale = random.uniform(0.01, 0.1, shape).astype(np.float32)
    zeros = random.integers(low, low + (1 << bits), shape)
    zero = helper.make_tensor("z", kind, shape, zeros.ravel()) if with_zero else None
    model, found = linear(tmp_path, helper.make_tensor("w", kind, values.shape, values.ravel()), scale, zero,
                          axis=axis, block_size=8)
    wanted = (values - (np.repeat(zeros, 8, axis) if with_zero else 0)) * np.repeat(scale, 8, axis)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)
    assert counts(model)["constexpr_blockwise_shift_scale"] == 1


def test_a_last_block_that_is_a_part_is_expanded_and_said(tmp_path):
    values = np.arange(20 * 64).reshape(20, 64) % 15 - 7
    scale = np.linspace(0.1, 1, 3 * 64, dtype=np.float32).reshape(3, 64)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        model, found = linear(tmp_path, helper.make_tensor("w", TensorProto.INT8, values.shape, values.ravel()), scale,
                              axis=0, block_size=8)
    np.testing.assert_allclose(found, values * np.repeat(scale, 8, 0)[:20], rtol=1e-6)
    assert not any(op.startswith("constexpr") for op in counts(model))


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("zeros", ["none", "integers", "floats"])
@pytest.mark.parametrize("columns", [96, 80])
def test_matmul_nbits(tmp_path, bits, zeros, columns):
    """Zero points packed or in float; a last block that the columns fill in part; groups in order."""
    random = np.random.default_rng(9)
    rows, block = 16, 32
    blocks = -(-columns // block)
    packed = random.integers(0, 256, (rows, blocks, block * bits // 8)).astype(np.uint8)
    scale = random.uniform(0.01, 0.1, rows * blocks).astype(np.float32)
    known = [numpy_helper.from_array(packed, "b"), numpy_helper.from_array(scale, "s")]
    if zeros == "integers":
        known.append(numpy_helper.from_array(
            random.integers(0, 256, rows * -(-blocks * bits // 8)).astype(np.uint8), "z"))
    elif zeros == "floats":
        known.append(numpy_helper.from_array(random.uniform(0, 15, rows * blocks).astype(np.float32), "z"))
    node = helper.make_node("MatMulNBits", ["x", "b", "s", "z" if zeros != "none" else ""], ["y"],
                            domain="com.microsoft", K=columns, N=rows, bits=bits, block_size=block)
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, columns])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, rows])], known)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)])
    model.ir_version = 8
    path = str(tmp_path / "m.onnx")
    onnx.save(model, path)
    x = random.standard_normal((3, columns)).astype(np.float32)
    if zeros == "floats" and bits == 8:
        # ONNX Runtime has no float zero points of 8 bits on a CPU.
        integers = packed.reshape(rows, blocks, block) - numpy_helper.to_array(known[2]).reshape(rows, blocks, 1)
        wanted = x @ (integers * scale.reshape(rows, blocks, 1)).reshape(rows, -1)[:, :columns].T
    else:
        wanted = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    converted = anemone.convert(path, minimum_deployment_target="iOS18")
    np.testing.assert_allclose(converted.predict({"x": x})["y"], wanted, atol=2e-4, rtol=1e-4)
    assert counts(converted)["constexpr_blockwise_shift_scale"] == 1


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_data_of_zeros_is_quantized_as_zeros(tmp_path, precision):
    """The range of zeros is 0, and 0 / 0 is no number: the scale is 1, as in ONNX Runtime."""
    nodes = [helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
             helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"])]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    path = str(tmp_path / "m.onnx")
    onnx.save(model, path)
    converted = anemone.convert(path, compute_precision=precision)
    assert converted.predict({"x": np.zeros(4, np.float32)})["y"].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("method", ["QDQ uint8 int8", "QOperator uint8 int8", "dynamic int8"])
@pytest.mark.parametrize("target", ["iOS16", "iOS17", "iOS18"])
def test_an_open_batch_stays_open_through_quantization(campaign, tmp_path, method, target):
    chosen = next(one for one in campaign.NETWORKS if one.name == "convnet")
    source = tmp_path / "float.onnx"
    onnx.save(chosen.make(), source)
    path = campaign.quantize(chosen, method, str(source), str(tmp_path))
    graph = onnx.load(path)
    feature = graph.graph.input[0]
    fixed = [dim.dim_value for dim in feature.type.tensor_type.shape.dim]
    for value in (feature, *graph.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.save(graph, path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what ranges cost
        package = anemone.convert(path, minimum_deployment_target=target,
                                  input_shapes={feature.name: ("1..6=2", *fixed[1:])})
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options)
    for batch in (1, 3, 6):
        x = np.random.default_rng(batch).normal(size=(batch, *fixed[1:])).astype(np.float32)
        wanted = session.run(None, {feature.name: x})[0]
        found = package.predict({feature.name: x})[graph.graph.output[0].name]
        assert found.shape == wanted.shape
        # A number that lies between two quanta may go either way, in each layer.
        assert np.abs(found - wanted).max() <= 3 * np.ptp(wanted) / 255


def test_products_of_eight_bits_are_exact(tmp_path):
    """Against integers of NumPy: without VNNI, ONNX Runtime's own saturate, so its results cannot judge all 8 bits."""
    random = np.random.default_rng(0)
    weight = random.integers(-127, 128, (64, 24)).astype(np.int8)
    nodes = [helper.make_node("DynamicQuantizeLinear", ["x"], ["xq", "xs", "xz"]),
             helper.make_node("MatMulInteger", ["xq", "w", "xz"], ["sums"]),
             helper.make_node("Cast", ["sums"], ["floats"], to=TensorProto.FLOAT),
             helper.make_node("Mul", ["xs", "ws"], ["scale"]),
             helper.make_node("Mul", ["floats", "scale"], ["y"])]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [5, 64])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [5, 24])],
                              [numpy_helper.from_array(weight, "w"),
                               numpy_helper.from_array(np.array(0.01, np.float32), "ws")])
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    x = random.uniform(-1, 3, (5, 64)).astype(np.float32)
    low, high = min(x.min(), 0), max(x.max(), 0)
    scale = np.float32((high - low) / np.float32(255))
    zero = np.clip(np.round(-low / scale), 0, 255)
    quantized = np.clip(np.round(x / scale) + zero, 0, 255).astype(np.int64)
    sums = (quantized - int(zero)) @ weight.astype(np.int64)
    # More than 16 bits hold somewhere in a pair of products: what saturates would show.
    pairs = quantized[:, 0::2, None] * weight[None, 0::2].astype(np.int64) + \
        quantized[:, 1::2, None] * weight[None, 1::2].astype(np.int64)
    assert np.abs(pairs).max() > 32767
    wanted = sums * np.float64(scale) * 0.01
    got = anemone.convert(path).predict({"x": x})["y"]
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-4 * np.abs(wanted).max())
