"""Quantized ONNX graphs, made by ONNX Runtime's own quantizers, through Anemone: size, and each layer against ONNX Runtime.

    python3 tests/oracle/quantized_graphs.py                     # a table
    python3 tests/oracle/quantized_graphs.py --write --real efficientnet_lite0.onnx --images FOLDER   # the document
    python3 tests/oracle/quantized_graphs.py --only mlp -v       # graphs whose name begins so, each with its worst layers

What is measured, and how, stands in the document.
"""

import argparse
import logging
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import anemone

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "onnx-quantized.md"
QLINEAR_OUTPUTS = ("QLinear", "QGemm")


class Network(NamedTuple):
    name: str
    make: Callable[[], onnx.ModelProto]
    feed: Callable[[np.random.Generator], Dict[str, np.ndarray]]
    opset: int = 17


class Outcome(NamedTuple):
    network: str
    method: str
    target: str
    state: str  # "converted", "refused", "not quantized", "wrong"
    reason: str = ""
    source_bytes: int = 0
    package_bytes: int = 0
    layers: int = 0
    layer: Optional[float] = None  # largest difference of one layer, in quanta
    whole: Optional[float] = None
    worst: str = ""


# ---- networks


class Builder:
    """A float network, node by node."""

    def __init__(self, seed: int):
        self.random = np.random.default_rng(seed)
        self.nodes, self.initializers, self.count = [], [], 0

    def name(self, stem: str) -> str:
        self.count += 1
        return f"{stem}_{self.count}"

    def known(self, array, stem: str = "w") -> str:
        name = self.name(stem)
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def op(self, op: str, *inputs: str, outputs: int = 1, **attributes):
        names = [self.name(op.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=names[0] + "_node", **attributes))
        return names[0] if outputs == 1 else names

    def weight(self, *shape: int) -> str:
        spread = np.sqrt(2 / max(np.prod(shape[1:]), 1))
        return self.known((self.random.standard_normal(shape) * spread).astype(np.float32))

    def conv(self, x: str, channels_in: int, channels: int, kernel: int = 3, stride: int = 1, group: int = 1) -> str:
        bias = self.known((self.random.standard_normal(channels) * 0.1).astype(np.float32), "b")
        return self.op("Conv", x, self.weight(channels, channels_in // group, kernel, kernel), bias,
                       kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4, group=group)

    def linear(self, x: str, width: int, columns: int) -> str:
        weight = self.known((self.random.standard_normal((width, columns)) / np.sqrt(width)).astype(np.float32))
        bias = self.known((self.random.standard_normal(columns) * 0.1).astype(np.float32), "b")
        return self.op("Add", self.op("MatMul", x, weight), bias)

    def model(self, inputs, outputs, opset: int = 17) -> onnx.ModelProto:
        def infos(pairs):
            return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in pairs]

        graph = helper.make_graph(self.nodes, "network", infos(inputs), infos(outputs), self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        model.ir_version = 10
        return onnx.shape_inference.infer_shapes(model)


def convnet() -> onnx.ModelProto:
    """Inverted residuals with depthwise convolutions, pooling, a concatenation, a classifier."""
    b = Builder(1)
    x = b.op("Relu", b.conv("image", 3, 32, stride=2))
    for width in (64, 64):
        y = b.op("Clip", b.conv(x, 32, width, kernel=1), b.known(np.float32(0)), b.known(np.float32(6)))
        y = b.op("Relu", b.conv(y, width, width, group=width))
        x = b.op("Add", x, b.conv(y, width, 32, kernel=1))
    left = b.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    right = b.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = b.op("Concat", left, right, axis=1)
    x = b.op("LeakyRelu", b.conv(x, 64, 128), alpha=0.1)
    gate = b.op("Sigmoid", b.conv(b.op("GlobalAveragePool", x), 128, 128, kernel=1))
    x = b.op("GlobalAveragePool", b.op("Mul", x, gate))
    x = b.op("Flatten", x)
    weight = b.weight(100, 128)
    b.nodes.append(helper.make_node("Gemm", [x, weight, b.known(np.zeros(100, np.float32), "b")], ["scores"], transB=1))
    return b.model([("image", [1, 3, 32, 32])], [("scores", [1, 100])])


def mlp() -> onnx.ModelProto:
    b = Builder(2)
    x = b.op("Relu", b.linear("x", 384, 512))
    x = b.op("Tanh", b.linear(x, 512, 512))
    b.nodes.append(helper.make_node("Softmax", [b.linear(x, 512, 64)], ["y"], axis=-1))
    return b.model([("x", [4, 384])], [("y", [4, 64])])


def transformer() -> onnx.ModelProto:
    """One encoder layer: layer norms, attention with four heads, a feed-forward part."""
    b = Builder(3)
    width, heads, length = 192, 4, 24

    def norm(x):
        scale = b.known((1 + 0.1 * b.random.standard_normal(width)).astype(np.float32))
        return b.op("LayerNormalization", x, scale, b.known(np.zeros(width, np.float32), "b"), axis=-1)

    def split(x):
        x = b.op("Reshape", x, b.known(np.array([1, length, heads, width // heads])))
        return b.op("Transpose", x, perm=[0, 2, 1, 3])

    normed = norm("tokens")
    q, k, v = (split(b.linear(normed, width, width)) for _ in range(3))
    scores = b.op("MatMul", q, b.op("Transpose", k, perm=[0, 1, 3, 2]))
    scores = b.op("Softmax", b.op("Mul", scores, b.known(np.float32(0.144))), axis=-1)
    mixed = b.op("Transpose", b.op("MatMul", scores, v), perm=[0, 2, 1, 3])
    x = b.op("Add", "tokens", b.linear(b.op("Reshape", mixed, b.known(np.array([1, length, width]))), width, width))
    hidden = b.linear(norm(x), width, 768)
    hidden = b.op("Mul", hidden, b.op("Sigmoid", hidden))
    b.nodes.append(helper.make_node("Add", [x, b.linear(hidden, 768, width)], ["y"]))
    return b.model([("tokens", [1, length, width])], [("y", [1, length, width])])


def upsampler() -> onnx.ModelProto:
    """A transposed convolution, a resize, a one-dimensional head."""
    b = Builder(4)
    x = b.op("Relu", b.conv("x", 16, 32))
    weight = b.known((b.random.standard_normal((32, 16, 2, 2)) * 0.1).astype(np.float32))
    x = b.op("ConvTranspose", x, weight, kernel_shape=[2, 2], strides=[2, 2])
    x = b.op("Resize", x, "", b.known(np.array([1, 1, 2, 2], np.float32)), mode="nearest")
    b.nodes.append(helper.make_node("Conv", [x, b.weight(8, 16, 3, 3)], ["y"], kernel_shape=[3, 3], pads=[1] * 4))
    return b.model([("x", [1, 16, 12, 12])], [("y", [1, 8, 48, 48])])


def tagger() -> onnx.ModelProto:
    """A table of words, an LSTM in both directions, one forward, a classifier of each word."""
    b = Builder(5)
    length, width, hidden = 12, 64, 48
    x = b.op("Gather", b.known((b.random.standard_normal((500, width)) * 0.5).astype(np.float32)), "words", axis=0)

    def lstm(x, columns, directions):
        parts = [b.known((b.random.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32))
                 for shape in ((directions, 4 * hidden, columns), (directions, 4 * hidden, hidden), (directions, 8 * hidden))]
        y, _, _ = b.op("LSTM", x, *parts, outputs=3, hidden_size=hidden,
                       direction="bidirectional" if directions == 2 else "forward")
        y = b.op("Transpose", y, perm=[0, 2, 1, 3])
        return b.op("Reshape", y, b.known(np.array([length, 1, directions * hidden])))

    x = lstm(lstm(b.op("Reshape", x, b.known(np.array([length, 1, width]))), width, 2), 2 * hidden, 1)
    b.nodes.append(helper.make_node("Softmax", [b.linear(x, hidden, 9)], ["tags"], axis=-1))
    model = b.model([("words", [length])], [("tags", [length, 1, 9])])
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    return onnx.shape_inference.infer_shapes(model)


def image_feed(random):
    return {"image": random.standard_normal((1, 3, 32, 32)).astype(np.float32)}


NETWORKS = [
    Network("convnet", convnet, image_feed),
    Network("mlp", mlp, lambda random: {"x": random.standard_normal((4, 384)).astype(np.float32)}),
    Network("transformer", transformer,
            lambda random: {"tokens": random.standard_normal((1, 24, 192)).astype(np.float32)}),
    Network("tagger", tagger, lambda random: {"words": random.integers(0, 500, 12)}),
    Network("upsampler", upsampler, lambda random: {"x": random.standard_normal((1, 16, 12, 12)).astype(np.float32)}),
]


def real_networks(model: Optional[Path], images: Optional[Path]) -> List[Network]:
    """EfficientNet-Lite0 with its real weights, calibrated and run on photographs."""
    if model is None or images is None or not model.is_file() or not images.is_dir():
        return []
    from PIL import Image

    paths = sorted(images.glob("*.JPEG"))
    loaded = onnx.load(str(model))
    shape = [dim.dim_value or 1 for dim in loaded.graph.input[0].type.tensor_type.shape.dim]
    first = shape[1] == 3

    def feed(random):
        path = paths[int(random.integers(len(paths)))]
        side = shape[2]
        pixels = np.asarray(Image.open(path).convert("RGB").resize((side, side)), np.float32)
        pixels = (pixels - 127) / 128
        return {loaded.graph.input[0].name: (pixels.transpose(2, 0, 1) if first else pixels)[None]}

    return [Network("efficientnet_lite0", lambda: onnx.load(str(model)), feed)]


# ---- quantizers


class Reader:
    """Calibration data as ONNX Runtime's quantizer wants it."""

    def __init__(self, feeds):
        self.feeds = iter(feeds)

    def get_next(self):
        return next(self.feeds, None)


def quantize(network: Network, method: str, source: str, folder: str) -> Optional[str]:
    """The path of the quantized file; None when the method does nothing to this network."""
    from onnxruntime import quantization as q
    from onnxruntime.quantization import matmul_nbits_quantizer as nbits

    logging.disable(logging.WARNING)
    path = os.path.join(folder, "quantized.onnx")
    random = np.random.default_rng(7)
    words = method.split(" ")
    kind = {"int8": q.QuantType.QInt8, "uint8": q.QuantType.QUInt8, "uint16": q.QuantType.QUInt16,
            "int4": q.QuantType.QInt4, "int16": q.QuantType.QInt16}
    if words[0] in ("QDQ", "QOperator"):
        extra = {}
        if "symmetric" in words:
            extra["ActivationSymmetric"] = True
        if "pairs" in words:
            extra["AddQDQPairToWeight"] = True
        q.quantize_static(source, path, Reader([network.feed(random) for _ in range(4)]),
                          quant_format=q.QuantFormat.QDQ if words[0] == "QDQ" else q.QuantFormat.QOperator,
                          per_channel="channel" in words, activation_type=kind[words[1]], weight_type=kind[words[2]],
                          extra_options=extra)
    elif words[0] == "dynamic":
        # Without VNNI, ONNX Runtime adds pairs of products of uint8 with int8 in 16 bits, which saturate (off by 22,622 in
        # a product of 16): 7 bits of weight cannot.
        q.quantize_dynamic(source, path, per_channel="channel" in words, weight_type=kind[words[1]],
                           reduce_range=words[1] == "int8")
    else:
        form = q.QuantFormat.QDQ if words[0] == "blocks" else q.QuantFormat.QOperator
        bits, block = int(words[1]), int(words[2])
        operators = ("MatMul", "Gather") if "tables" in words else ("MatMul",)
        config = nbits.DefaultWeightOnlyQuantConfig(block_size=block, is_symmetric="symmetric" in words, bits=bits,
                                                    quant_format=form, op_types_to_quantize=operators)
        quantizer = nbits.MatMulNBitsQuantizer(onnx.load(source), bits=bits, block_size=block, algo_config=config,
                                               is_symmetric="symmetric" in words, op_types_to_quantize=operators)
        quantizer.process()
        quantizer.model.save_model_to_file(path, False)
    ops = {node.op_type for node in onnx.load(path).graph.node}
    marks = ("DequantizeLinear", "Integer", "QLinear", "QGemm", "NBits", "DynamicQuantize", "BlockQuantized")
    return path if any(any(mark in op for mark in marks) for op in ops) else None


METHODS = {
    # name: the oldest deployment target that holds it
    "QDQ uint8 int8": "iOS17", "QDQ int8 int8 channel": "iOS17", "QDQ int8 int8 symmetric channel": "iOS17",
    "QDQ uint8 uint8": "iOS17", "QDQ uint8 int8 pairs": "iOS17", "QDQ uint16 int8": "iOS17",
    "QDQ int8 int4 channel": "iOS18",
    "QOperator uint8 int8": "iOS17", "QOperator uint8 uint8": "iOS17", "QOperator int8 int8 channel": "iOS17",
    "dynamic int8": "iOS17", "dynamic uint8": "iOS17", "dynamic int8 channel": "iOS17",
    "MatMulNBits 4 32": "iOS18", "MatMulNBits 4 32 symmetric": "iOS18", "MatMulNBits 8 64": "iOS18",
    "MatMulNBits 4 32 tables": "iOS18", "MatMulNBits 4 16 symmetric tables": "iOS18",
    "blocks 4 32": "iOS18", "blocks 4 32 symmetric": "iOS18",
}


# ---- comparison


def session_of(model: onnx.ModelProto):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # The graph as it is written: no operator is fused into another that rounds elsewhere.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def typed_infos(model: onnx.ModelProto, feeds, names) -> Dict[str, np.ndarray]:
    """ONNX Runtime's values of these tensors of the model."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(helper.ValueInfoProto(name=name) for name in names)
    return dict(zip(names, session_of(copy).run(names, feeds)))


def cut_points(model: onnx.ModelProto) -> List[str]:
    """The tensors at which layers end: quantized activations, and the results of layers whose weights alone are quantized."""
    graph = model.graph
    known = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if all(name in known for name in node.input if name):
            known.update(node.output)
    points = []
    for node in graph.node:
        quantizes = node.op_type == "QuantizeLinear" and node.input[0] not in known
        if quantizes or node.op_type.startswith(QLINEAR_OUTPUTS) or node.op_type in ("MatMulNBits", "GatherBlockQuantized"):
            points.append(node.output[0])
    if points:
        return points
    # Dynamic and block-wise quantization: where the floats come out.
    readers = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    makers = {output: node for node in graph.node for output in node.output}

    def of_integers(name):
        return (name in makers and makers[name].op_type == "Cast" and
                makers[makers[name].input[0]].op_type.endswith("Integer"))

    for node in graph.node:
        scales_integers = node.op_type == "Mul" and any(map(of_integers, node.input))
        if scales_integers or node.op_type in ("MatMul", "DynamicQuantizeLSTM"):
            points.append(node.output[0])
    return points


def separate_layers(model: onnx.ModelProto, points: List[str], values: Dict[str, np.ndarray]):
    """The model with an input in place of each cut tensor where it is read; the feeds of those inputs."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    chosen = set(points)
    feeds = {}
    for node in graph.node:
        for position, name in enumerate(node.input):
            if name not in chosen:
                continue
            node.input[position] = name + "_given"
            feeds[name + "_given"] = values[name]
    for name, value in feeds.items():
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        graph.input.append(helper.make_tensor_value_info(name, kind, value.shape))
    outputs = {value.name for value in graph.output}
    for name in points:
        if name not in outputs:
            value = values[name]
            graph.output.append(helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape))
    return copy, feeds


def predict(model, feeds):
    """Our outputs by their names in the file."""
    metadata = model.inspect()["metadata"]["user_defined"]
    renamed = {text: key[len("onnx.name."):] for key, text in metadata.items() if key.startswith("onnx.name.")}
    known = {feature.name for feature in model.inputs}
    given = {}
    for name, value in feeds.items():
        short = renamed.get(name, name)
        if short in known:
            value = value.astype(np.int32) if value.dtype.kind in "iu" else value.astype(np.float32)
            given[short] = value.reshape(value.shape or (1,))
    found = model.predict(given)
    back = {short: name for name, short in renamed.items()}
    return {back.get(name, name): value for name, value in found.items()}


def unit_of(model: onnx.ModelProto, name: str) -> Optional[float]:
    """The quantum of an output: the scale of the DequantizeLinear that makes it."""
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if name in node.output and node.op_type == "DequantizeLinear" and known[node.input[1]].size == 1:
            return float(known[node.input[1]].reshape(()))
    return None


def quanta(wanted: np.ndarray, found: np.ndarray, unit: Optional[float] = None) -> float:
    """The largest difference, in quanta."""
    found = found.reshape(wanted.shape).astype(np.float64)
    wide = wanted.astype(np.float64)
    if not np.isfinite(found).all():
        return float("inf")
    if unit is None:
        unit = 1.0 if wanted.dtype.kind in "iu" else max(float(wide.max() - wide.min()), 1e-12) / 255
    return float(np.abs(found - wide).max() / unit)


def size_of(path: str) -> int:
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(root, name)) for root, _, names in os.walk(path) for name in names)


def convert(model: onnx.ModelProto, path: str, target: str):
    Path(path).write_bytes(model.SerializeToString())
    return anemone.convert(path, minimum_deployment_target=target)


def check(network: Network, method: str, folder: str, target: str = "") -> Outcome:
    target = target or METHODS[method]
    source = os.path.join(folder, "float.onnx")
    onnx.save(network.make(), source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = quantize(network, method, source, folder)
    if path is None:
        return Outcome(network.name, method, target, "not quantized")
    model = onnx.load(path)
    before = size_of(path)
    package = os.path.join(folder, "quantized.mlpackage")
    try:
        converted = anemone.convert(path, minimum_deployment_target=target)
    except anemone.Error as error:
        return Outcome(network.name, method, target, "refused", str(error.message).splitlines()[-1].strip()[:200], before)
    converted.save(package)
    feeds = network.feed(np.random.default_rng(11))
    names = [value.name for value in model.graph.output]
    wanted = dict(zip(names, session_of(model).run(names, feeds)))
    found = predict(converted, feeds)
    whole = max(quanta(wanted[name], found[name], unit_of(model, name)) for name in names)
    points = cut_points(model)
    layer, worst = None, ""
    if points:
        values = typed_infos(model, feeds, points)
        layers, given = separate_layers(model, points, values)
        try:
            ours = predict(convert(layers, os.path.join(folder, "layers.onnx"), target), {**feeds, **given})
        except anemone.Error as error:
            return Outcome(network.name, method, target, "refused", "its layers: " + str(error.message).splitlines()[-1][:200],
                           before)
        by_layer = {name: quanta(values[name], ours[name]) for name in points}
        worst = max(by_layer, key=by_layer.get)
        layer = by_layer[worst]
    state = "converted" if layer is not None and layer <= 1 else "wrong"
    return Outcome(network.name, method, target, state, "", before, size_of(package), len(points), layer, whole, worst)


def run_all(networks: List[Network], only: str = "", say=None) -> List[Outcome]:
    outcomes = []
    for network in networks:
        for method in METHODS:
            if not f"{network.name} {method}".startswith(only):
                continue
            with tempfile.TemporaryDirectory() as folder:
                outcomes.append(check(network, method, folder))
            if say:
                say(outcomes[-1])
    return outcomes


def row(one: Outcome) -> str:
    if one.state == "refused":
        return f"| {one.network} | {one.method} | {one.target} | {one.source_bytes / 1000:.0f} | refused: {one.reason} | | | |"
    share = one.package_bytes / one.source_bytes
    layer = "" if one.layer is None else f"{one.layer:.2g}"
    return (f"| {one.network} | {one.method} | {one.target} | {one.source_bytes / 1000:.0f} | {share:.2f} | {one.layers} | {layer} | "
            f"{one.whole:.2g} |")


HEADER = """# Quantized ONNX graphs

Float networks, quantized by ONNX Runtime's own quantizers (`onnxruntime` {version}), converted and compared with ONNX
Runtime. This file is written by `tests/oracle/quantized_graphs.py --write`; a sample of it is
`python/tests/test_onnx_quantized.py`.

What becomes of a quantized graph:

- Weights of 8 bits with a scale for the tensor or for each element along an axis are `constexpr_affine_dequantize` for
  iOS16 and iOS17, `constexpr_blockwise_shift_scale` for iOS18. Weights of 4 bits, and scales for blocks, need iOS18. An
  older target is an error that names the lowest one.
- Tensors quantized to 8 bits at run time are `quantize` and `dequantize` from iOS17 on; for iOS16, and with 16 bits,
  they are arithmetic.
- QLinearConv, QLinearMatMul, QGemm, QLinearAdd and the like are the float operator between `dequantize` and `quantize`.
- DynamicQuantizeLinear is arithmetic on the range of the data; MatMulInteger or ConvInteger with the scaling of its
  result is one `linear` or `conv` on scaled operands, with constexpr weights.
- DynamicQuantizeLSTM is `lstm` with constexpr weights on the quantized input; its hidden states stay float.
- Core ML has no constant of 16 bits that is scaled: such weights become float32, and the conversion says so.

How it is measured. *Size*: bytes of the package over those of the ONNX file; about 250 bytes for each operator are the
program, which weighs more in a small file. *Layer*: the largest difference of one layer, in quanta. The graph is cut at
every quantized activation: the layers become one model with an input for each tensor that a layer reads and an output
for each that it writes. Both sides get ONNX Runtime's own tensors as inputs, so that a difference is that of one layer
alone. A quantized output is compared as integers, so that a quantum is 1; a float output (dynamic quantization, or
quantized weights alone) in units of its range / 255. *Whole*: the same at the outputs of the network, which the
differences of all layers reach; a quantum of an output that a DequantizeLinear makes is its scale. ONNX Runtime runs
the graphs as they are written, without its own fusions.

| network | quantization | target | kB | size | layers | layer | whole |
|---|---|---|---|---|---|---|---|
"""


def document(outcomes) -> str:
    """docs/onnx-quantized.md."""
    rows = [row(one) for one in outcomes if one.state != "not quantized"]
    return HEADER.format(version=onnxruntime.__version__) + "\n".join(rows) + "\n"


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="graphs whose name begins so: NETWORK METHOD")
    parser.add_argument("--write", action="store_true", help="write docs/onnx-quantized.md")
    parser.add_argument("--real", type=Path, help="the ONNX file of EfficientNet-Lite0")
    parser.add_argument("--images", type=Path, help="the folder of its photographs")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each graph as it is done")
    options = parser.parse_args(arguments)

    def say(one):
        print(row(one) if one.state != "not quantized" else f"| {one.network} | {one.method} | not quantized |",
              one.state, one.worst, flush=True)

    networks = NETWORKS + real_networks(options.real, options.images)
    outcomes = run_all(networks, options.only, say if options.verbose else None)
    for one in outcomes:
        if not options.verbose and one.state != "not quantized":
            print(row(one))
    if options.write:
        DOCUMENT.write_text(document(outcomes), encoding="utf-8")
    return 0 if all(one.state != "wrong" for one in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
