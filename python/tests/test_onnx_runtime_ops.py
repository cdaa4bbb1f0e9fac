"""ONNX Runtime's own operators (com.microsoft), which exporters and its optimizer write, as it computes them."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import anemone

RANDOM = np.random.default_rng(3)
DOMAIN = "com.microsoft"


def floats(*shape, scale=1.0):
    return (RANDOM.standard_normal(shape) * scale).astype(np.float32)


def make(path, op, inputs, outputs, known=(), domain=DOMAIN, output_types=(), **attributes):
    """A model of one node. `inputs`: arrays by name, None where one is left out; those in `known` are initializers."""
    node = helper.make_node(op, [name if value is not None else "" for name, value in inputs.items()], outputs,
                            domain=domain, **attributes)
    infos = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
             for name, value in inputs.items() if value is not None and name not in known]
    types = list(output_types) + [TensorProto.FLOAT] * len(outputs)
    results = [helper.make_tensor_value_info(name, kind, None) for name, kind in zip(outputs, types) if name]
    graph = helper.make_graph([node], "g", infos, results,
                              [numpy_helper.from_array(inputs[name], name) for name in known])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return str(path)


def compare(path, inputs, known=(), outputs=(), target="iOS18", atol=2e-5):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feeds = {name: value for name, value in inputs.items() if value is not None and name not in known}
    names = [name for name in outputs if name] or None
    wanted = session.run(names, feeds)
    given = {name: (value.astype(np.int32) if value.dtype.kind in "iub" else value).reshape(value.shape or (1,))
             for name, value in feeds.items()}
    model = anemone.convert(path, minimum_deployment_target=target)
    known_inputs = {feature.name for feature in model.inputs}
    found = model.predict({name: value for name, value in given.items() if name in known_inputs})
    for name, value in zip([one.name for one in session.get_outputs()], wanted):
        assert found[name].shape == value.shape, name
        np.testing.assert_allclose(found[name], value, atol=atol, rtol=2e-4, err_msg=name)
    return model


def check(tmp_path, op, inputs, outputs=("y",), known=(), atol=2e-5, **attributes):
    path = make(tmp_path / "m.onnx", op, inputs, list(outputs), known, **attributes)
    return compare(path, inputs, known, outputs, atol=atol)


@pytest.mark.parametrize("attributes", [
    {}, {"alpha": 0.25}, {"transA": 1}, {"transB": 1, "alpha": 2.0}, {"transBatchA": 1}, {"transBatchB": 1},
])
def test_fused_matmul(tmp_path, attributes):
    a, b = floats(3, 4, 5), floats(3, 5, 6)
    if attributes.get("transA"):
        a = a.transpose(0, 2, 1).copy()
    if attributes.get("transB"):
        b = b.transpose(0, 2, 1).copy()
    if attributes.get("transBatchA"):
        a = a.transpose(1, 0, 2).copy()
    if attributes.get("transBatchB"):
        b = b.transpose(1, 0, 2).copy()
    check(tmp_path, "FusedMatMul", {"a": a, "b": b}, **attributes)


@pytest.mark.parametrize("op, bias", [("Gelu", False), ("BiasGelu", True), ("FastGelu", True), ("FastGelu", False),
                                      ("QuickGelu", False)])
def test_gelus(tmp_path, op, bias):
    inputs = {"x": floats(2, 3, 8, scale=2)}
    if bias:
        inputs["b"] = floats(8)
    check(tmp_path, op, inputs, known=["b"] if bias else ())


@pytest.mark.parametrize("activation, parameters", [("Relu", []), ("LeakyRelu", [0.2]), ("Clip", [-0.5, 0.75]),
                                                    ("HardSigmoid", [0.3, 0.4]), ("Tanh", []), ("Sigmoid", [])])
@pytest.mark.parametrize("added", [False, True])
def test_fused_conv(tmp_path, activation, parameters, added):
    inputs = {"x": floats(1, 3, 6, 6), "w": floats(4, 3, 3, 3, scale=0.3), "b": floats(4),
              "z": floats(1, 4, 6, 6) if added else None}
    attributes = {"activation_params": parameters} if parameters else {}
    check(tmp_path, "FusedConv", inputs, known=["w", "b"], activation=activation, kernel_shape=[3, 3],
          pads=[1, 1, 1, 1], **attributes)


def test_skip_layer_normalization(tmp_path):
    inputs = {"x": floats(2, 5, 8), "skip": floats(2, 5, 8), "g": floats(8), "b": floats(8), "bias": floats(8)}
    check(tmp_path, "SkipLayerNormalization", inputs, ("y", "", "", "sum"), known=["g", "b", "bias"], epsilon=1e-5)


def test_skip_simplified_layer_normalization(tmp_path):
    inputs = {"x": floats(2, 5, 8), "skip": floats(2, 5, 8), "g": floats(8), "bias": floats(8)}
    check(tmp_path, "SkipSimplifiedLayerNormalization", inputs, ("y", "", "", "sum"), known=["g", "bias"], epsilon=1e-6)


def test_simplified_layer_normalization(tmp_path):
    inputs = {"x": floats(2, 5, 8), "g": floats(8)}
    check(tmp_path, "SimplifiedLayerNormalization", inputs, ("y", "inverse"), known=["g"], domain="", epsilon=1e-6)


def test_embed_layer_normalization(tmp_path):
    ids = RANDOM.integers(0, 20, (2, 6)).astype(np.int32)
    mask = np.array([[1, 1, 1, 1, 0, 0], [1] * 6], np.int32)
    inputs = {"ids": ids, "segments": (ids % 2).astype(np.int32), "words": floats(20, 8), "positions": floats(10, 8),
              "kinds": floats(2, 8), "g": floats(8), "b": floats(8), "mask": mask}
    check(tmp_path, "EmbedLayerNormalization", inputs, ("y", "shown"), known=["words", "positions", "kinds", "g", "b"],
          output_types=[TensorProto.FLOAT, TensorProto.INT32], epsilon=1e-5)


@pytest.mark.parametrize("mask", ["none", "lengths", "keys", "queries"])
@pytest.mark.parametrize("unidirectional", [0, 1])
def test_attention(tmp_path, mask, unidirectional):
    masks = {"none": None, "lengths": np.array([6, 4], np.int32),
             "keys": np.array([[1] * 6, [1, 1, 1, 0, 0, 0]], np.int32),
             "queries": RANDOM.integers(0, 2, (2, 6, 6)).astype(np.int32) | np.eye(6, dtype=np.int32)}
    inputs = {"x": floats(2, 6, 16), "w": floats(16, 48, scale=0.3), "b": floats(48), "mask": masks[mask]}
    check(tmp_path, "Attention", inputs, known=["w", "b"], num_heads=4, unidirectional=unidirectional)


def test_attention_with_a_past(tmp_path):
    inputs = {"x": floats(2, 3, 16), "w": floats(16, 48, scale=0.3), "b": floats(48), "mask": None,
              "past": floats(2, 2, 4, 5, 4)}
    check(tmp_path, "Attention", inputs, ("y", "present"), known=["w", "b"], num_heads=4, scale=0.4)


@pytest.mark.parametrize("weights", [np.int8, np.uint8])
@pytest.mark.parametrize("by_column", [False, True])
def test_quantized_attention(tmp_path, weights, by_column):
    # 7 bits: without VNNI, ONNX Runtime's products of uint8 with int8 saturate beyond.
    low, high = (-63, 64) if weights is np.int8 else (0, 256)
    scale = RANDOM.uniform(0.001, 0.003, 48 if by_column else ()).astype(np.float32)
    zero = np.zeros(scale.shape, weights) if weights is np.int8 else np.full(scale.shape, 128, weights)
    inputs = {"x": RANDOM.integers(0, 256, (2, 6, 16)).astype(np.uint8),
              "w": RANDOM.integers(low, high, (16, 48)).astype(weights), "b": floats(48),
              "xs": np.array(0.02, np.float32), "ws": scale, "mask": np.array([6, 4], np.int32),
              "xz": np.array(120, np.uint8), "wz": zero}
    known = ["w", "b", "xs", "ws", "xz", "wz"]
    model = check(tmp_path, "QAttention", inputs, known=known, num_heads=4)
    assert model.inspect()["operator_counts"]["constexpr_blockwise_shift_scale"] == 1


def test_quantized_embed_layer_normalization(tmp_path):
    def table(*shape):
        return RANDOM.integers(0, 256, shape).astype(np.uint8)

    def scalar():
        return np.array(RANDOM.uniform(0.01, 0.05), np.float32)

    ids = RANDOM.integers(0, 40, (2, 6)).astype(np.int32)
    inputs = {"ids": ids, "segments": (ids % 2).astype(np.int32), "words": table(40, 8), "positions": table(10, 8),
              "kinds": table(2, 8), "g": table(8), "b": table(8), "mask": np.ones((2, 6), np.int32)}
    inputs.update({f"s{i}": scalar() for i in range(5)})
    inputs.update({f"z{i}": np.array(120 + i, np.uint8) for i in range(5)})
    known = [name for name in inputs if name not in ("ids", "segments", "mask")]
    check(tmp_path, "QEmbedLayerNormalization", inputs, ("y", "shown"), known=known,
          output_types=[TensorProto.FLOAT, TensorProto.INT32], epsilon=1e-5)


@pytest.mark.parametrize("form", ["plain", "bias", "past", "mask", "cross"])
def test_multi_head_attention(tmp_path, form):
    inputs = {"q": floats(2, 5, 16), "k": floats(2, 7, 16), "v": floats(2, 7, 16), "b": None, "mask": None,
              "scores": None}
    outputs, known = ("y",), ()
    if form == "bias":
        inputs["b"], known = floats(48), ["b"]
        inputs["scores"] = floats(1, 4, 5, 7)
    elif form == "mask":
        inputs["mask"] = np.array([[1] * 7, [1, 1, 1, 1, 0, 0, 0]], np.int32)
    elif form == "past":
        inputs.update(k=floats(2, 5, 16), v=floats(2, 5, 16), past_k=floats(2, 4, 3, 4), past_v=floats(2, 4, 3, 4))
        outputs = ("y", "present_k", "present_v")
    elif form == "cross":
        inputs.update(k=floats(2, 4, 7, 4), v=floats(2, 4, 7, 4))
    check(tmp_path, "MultiHeadAttention", inputs, outputs, known=known, num_heads=4)


@pytest.mark.parametrize("packed", ["all", "keys"])
def test_packed_heads_are_as_the_plain_ones(tmp_path, packed):
    """ONNX Runtime packs heads on GPUs only: the plain form is the oracle."""
    q, k, v = floats(2, 5, 16), floats(2, 5, 16), floats(2, 5, 16)
    plain = make(tmp_path / "plain.onnx", "MultiHeadAttention", {"q": q, "k": k, "v": v}, ["y"], num_heads=4)
    wanted = onnxruntime.InferenceSession(plain, providers=["CPUExecutionProvider"]).run(None, {"q": q, "k": k, "v": v})
    parts = [one.reshape(2, 5, 4, 1, 4) for one in (q, k, v)]
    inputs = {"q": np.concatenate(parts, 3)} if packed == "all" else {"q": q, "k": np.concatenate(parts[1:], 3)}
    path = make(tmp_path / "m.onnx", "MultiHeadAttention", inputs, ["y"], num_heads=4)
    found = anemone.convert(path).predict(inputs)["y"]
    np.testing.assert_allclose(found, wanted[0], atol=2e-5, rtol=2e-4)


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("form", ["offset", "positions", "heads apart"])
def test_rotary_embedding(tmp_path, form, interleaved):
    x = floats(2, 4, 5, 8) if form == "heads apart" else floats(2, 5, 32)
    positions = np.array([3], np.int64) if form == "offset" else RANDOM.integers(0, 16, (2, 5))
    angles = np.arange(16)[:, None] * 10000.0 ** (-np.arange(4) / 4)
    inputs = {"x": x, "positions": positions, "cos": np.cos(angles).astype(np.float32),
              "sin": np.sin(angles).astype(np.float32)}
    check(tmp_path, "RotaryEmbedding", inputs, known=["cos", "sin"], interleaved=interleaved)


@pytest.mark.parametrize("form", ["prompt", "packed prompt", "next", "half-filled", "next of two"])
@pytest.mark.parametrize("rotary", [0, 1])
def test_group_query_attention(tmp_path, form, rotary):
    heads, shared, size = 4, 2, 16
    length = 6 if "prompt" in form else 2 if form == "next of two" else 1
    batch = 2 if form == "next" else 1
    past = 0 if "prompt" in form else 5
    filled = 3 if form == "half-filled" else past
    total = filled + length
    packed = form == "packed prompt"
    inputs = {"q": floats(batch, length, (heads + 2 * shared if packed else heads) * size),
              "k": None if packed else floats(batch, length, shared * size),
              "v": None if packed else floats(batch, length, shared * size),
              "past_k": floats(batch, shared, past, size) if past else None,
              "past_v": floats(batch, shared, past, size) if past else None,
              "last": np.full((batch,), total - 1, np.int32), "total": np.array(total, np.int32)}
    known = ["total"]
    if rotary:
        angles = np.arange(32)[:, None] * 10000.0 ** (-np.arange(size // 2) / (size // 2))
        inputs.update(cos=np.cos(angles).astype(np.float32), sin=np.sin(angles).astype(np.float32))
        known += ["cos", "sin"]
    path = make(tmp_path / "m.onnx", "GroupQueryAttention", inputs, ["y", "present_k", "present_v"], known,
                num_heads=heads, kv_num_heads=shared, do_rotary=rotary)
    outputs = ("y",) if form == "half-filled" else ("y", "present_k", "present_v")
    if outputs == ("y",):
        model = onnx.load(path)
        del model.graph.output[1:]
        onnx.save(model, path)
    compare(path, inputs, known, outputs)


@pytest.mark.parametrize("op, inputs, attributes, words", [
    ("MatMulNBits", {"a": floats(1, 32), "b": np.zeros((4, 1, 8), np.uint8), "s": floats(4)},
     {"K": 32, "N": 4, "bits": 2, "block_size": 32}, "2 bits"),
    ("FusedConv", {"x": floats(1, 2, 4, 4), "w": floats(3, 2, 1, 1), "c": np.float32(1)}, {}, "the bias has rank 0"),
    ("FusedMatMul", {"x": floats(1, 2), "w": floats(2, 3), "c": floats(1)}, {}, "not converted"),
    ("GroupQueryAttention", {"q": floats(1, 2, 16), "k": floats(1, 2, 8), "v": floats(1, 2, 8), "pk": None, "pv": None,
                             "last": np.array([1], np.int32), "total": np.array(2, np.int32)},
     {"num_heads": 2, "kv_num_heads": 1, "local_window_size": 4}, "local windows"),
])
def test_refusals_say_why(tmp_path, op, inputs, attributes, words):
    known = [name for name in ("b", "s", "total") if name in inputs]
    outputs = ["y", "more"] if words == "not converted" else ["y"]
    path = make(tmp_path / "m.onnx", op, inputs, outputs, known, **attributes)
    with pytest.raises(anemone.Error, match=words):
        anemone.convert(path, minimum_deployment_target="iOS18")
