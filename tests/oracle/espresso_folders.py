"""Writes compiled neural networks (Espresso folders) and compares Anemone's results with PyTorch's.

    python3 tests/oracle/espresso_folders.py [--keep FOLDER]

The Python has torch, coremltools (for the description's protobuf) and Anemone as a user installs it. The networks have the
layers that public files and readers of the format show (docs/compiled-models.md). What each layer computes is written here
a second time, with PyTorch's functions, from those sources; so the two readings are independent, and the shapes of every
blob, which Anemone checks, come from PyTorch. Prints a line for each network; the exit status is the number that differ.
"""
import argparse
import json
import pathlib
import struct
import sys
import tempfile

import numpy as np
import torch
import torch.nn.functional as F

import anemone
from coremltools.proto import FeatureTypes_pb2, Model_pb2

NEURAL_NETWORK = 500
NEURAL_NETWORK_CLASSIFIER = 403


class Network:
    """A compiled network in the making: layers, weights and, by running them in PyTorch, the blobs' shapes."""

    def __init__(self, seed, rank5=False, version=None):
        self.random = np.random.default_rng(seed)
        self.layers, self.blobs, self.transforms = [], {}, {}
        self.inputs, self.images, self.values, self.outputs = {}, {}, {}, []
        self.labels = None
        self.rank5 = rank5
        self.version = version or (1 if rank5 else 4)

    def input(self, name, shape):
        self.inputs[name] = self.random.standard_normal(shape).astype(np.float32)
        value = torch.from_numpy(self.inputs[name])
        self.values[name] = value[None] if self.rank5 and len(shape) == 3 else value
        return name

    def image(self, name, height, width, bgr=False, scale=2 / 255, bias=(-1, -0.9, -0.8)):
        pixels = self.random.integers(0, 256, (height, width, 3)).astype(np.uint8)  # RGB
        self.images[name] = (pixels, bgr)
        self.transforms[name] = {"scale": scale, "bias_r": bias[0], "bias_g": bias[1], "bias_b": bias[2], "bias_a": 0,
                                 "center_mean": 0, "is_network_bgr": int(bgr)}
        planes = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
        planes = planes * scale + torch.tensor(bias, dtype=torch.float32).reshape(1, 3, 1, 1)
        self.values[name] = planes.flip(1) if bgr else planes
        return name

    def weights(self, *shape, scale=0.3):
        return (self.random.standard_normal(shape) * scale).astype(np.float32)

    def blob(self, values):
        """An odd index, as Apple's compiler gives; the even one before it is padding."""
        index = 2 * len(self.blobs) + 1
        self.blobs[index] = values.tobytes()
        return index

    def layer(self, kind, bottoms, compute, tops=None, **parameters):
        bottoms = [bottoms] if isinstance(bottoms, str) else bottoms
        tops = tops or [f"{kind}_{len(self.layers)}"]
        made = compute(*(self.values[name] for name in bottoms))
        made = made if isinstance(made, (tuple, list)) else [made]
        self.values.update(zip(tops, made))
        self.layers.append({"type": kind, "name": f"{kind}_{len(self.layers)}", "bottom": ",".join(bottoms),
                            "top": ",".join(tops), "weights": parameters.pop("weights", {}), **parameters})
        return tops[0] if len(tops) == 1 else tops

    def output(self, name):
        self.outputs.append(name)
        for layer in self.layers:
            if layer["top"] == name:
                layer["attributes"] = {"is_output": 1}

    # ---- layers
    def convolution(self, x, outputs, kernel, form="blob_weights", bias=True, stride=1, dilation=1, groups=1, pads=None,
                    same=False, relu=False, tanh=False):
        inputs = self.values[x].shape[1]
        ky, kx = kernel
        weight = self.weights(outputs, inputs // groups, ky, kx)
        fields = {}
        if form == "blob_weights_f16":
            weight = weight.astype(np.float16)
            fields[form] = self.blob(weight)
        elif form == "W_U8":
            codes = self.random.integers(0, 256, weight.shape).astype(np.uint8)
            scales, biases = self.weights(outputs, scale=0.004), self.weights(outputs)
            fields["weights"] = {"W_U8": self.blob(codes), "per_ch_qscale": self.blob(scales),
                                 "per_ch_qbias": self.blob(biases)}
            weight = codes * scales.reshape(-1, 1, 1, 1) + biases.reshape(-1, 1, 1, 1)
        else:
            fields[form] = self.blob(weight)
        biases = self.weights(outputs) if bias else None
        if bias:
            fields["blob_biases"] = self.blob(biases)
        top, bottom, left, right = pads or (0, 0, 0, 0)

        def compute(value):
            if same:  # as TensorFlow: the odd one below and on the right
                edges = []
                for size, k in ((value.shape[3], kx), (value.shape[2], ky)):
                    total = max((-(-size // stride) - 1) * stride + (k - 1) * dilation + 1 - size, 0)
                    edges += [total // 2, total - total // 2]
                value = F.pad(value, edges)
            else:
                value = F.pad(value, (left, right, top, bottom))
            result = F.conv2d(value, torch.from_numpy(np.asarray(weight, dtype=np.float32)),
                              None if biases is None else torch.from_numpy(biases), stride, 0, dilation, groups)
            return F.relu(result) if relu else torch.tanh(result) if tanh else result

        if stride != 1:
            fields.update(stride_x=stride, stride_y=stride)
        if dilation != 1:
            fields.update(dilation_x=dilation, dilation_y=dilation)
        return self.layer("convolution", x, compute, C=outputs, K=inputs, Nx=kx, Ny=ky, n_groups=groups, n_parallel=1,
                          pad_mode=1 if same else 0, pad_t=top, pad_b=bottom, pad_l=left, pad_r=right, pad_fill_mode=0,
                          pad_value=0, has_batch_norm=0, has_biases=int(bias), fused_relu=int(relu),
                          fused_tanh=int(tanh), **fields)

    def inner_product(self, x, outputs, form="blob_weights", relu=False, padded=False, flatten=False):
        value = self.values[x]
        inputs = value[0].numel() if flatten else value.shape[-1]
        weight = self.weights(outputs, inputs).astype(np.float16 if form.endswith("f16") else np.float32)
        biases = self.weights(outputs)
        stored = np.concatenate([biases, np.zeros(3 * outputs, np.float32)]) if padded else biases

        def compute(value):
            result = F.linear(value.flatten(1) if flatten else value, torch.from_numpy(weight.astype(np.float32)),
                              torch.from_numpy(biases))
            result = F.relu(result) if relu else result
            return result[:, :, None, None] if flatten else result

        return self.layer("inner_product", x, compute, nB=inputs, nC=outputs, has_biases=1, has_relu=int(relu),
                          has_tanh=0, has_prelu=0, **{form: self.blob(weight)}, blob_biases=self.blob(stored))

    def instance_norm(self, x, epsilon=1e-3):
        channels = self.values[x].shape[1]
        scale, shift = self.weights(channels, scale=1), self.weights(channels)
        table = np.stack([scale, shift, np.zeros(channels), np.ones(channels)], 1).astype(np.float32)
        return self.layer("batchnorm", x, lambda value: F.instance_norm(
            value, weight=torch.from_numpy(scale), bias=torch.from_numpy(shift), eps=epsilon), C=channels, training=1,
                          training_instancenorm=1, training_eps=epsilon, training_momentum=0.9,
                          blob_batchnorm_params=self.blob(table))

    def affine(self, x):
        channels = self.values[x].shape[1]
        scale, shift = self.weights(channels, scale=1), self.weights(channels)
        table = np.stack([scale, shift, np.zeros(channels), np.ones(channels)], 1).astype(np.float32)
        shape = (1, channels, 1, 1)
        return self.layer("batchnorm", x, lambda value: value * torch.from_numpy(scale.reshape(shape)) +
                          torch.from_numpy(shift.reshape(shape)), C=channels, blob_batchnorm_params=self.blob(table))

    def pool(self, x, size, stride, kind="max", ceil=False):
        def compute(value):
            if kind == "max":
                return F.max_pool2d(value, size, stride, ceil_mode=ceil)
            return F.avg_pool2d(value, size, stride, ceil_mode=ceil)
        return self.layer("pool", x, compute, avg_or_max=int(kind == "max"), size_x=size, size_y=size, stride_x=stride,
                          stride_y=stride, pad_t=0, pad_b=0, pad_l=0, pad_r=0, pad_mode=0 if ceil else 2,
                          pad_fill_mode=0, pad_value=0, average_count_exclude_padding=1, top_shape_style=2 if ceil else 0)

    def global_pool(self, x):
        return self.layer("pool", x, lambda value: value.mean((2, 3), keepdim=True), avg_or_max=0, is_global=1,
                          average_count_exclude_padding=1, size_x=self.values[x].shape[3],
                          size_y=self.values[x].shape[2], stride_x=1, stride_y=1, pad_mode=0)

    def elementwise(self, bottoms, operation, compute, **parameters):
        return self.layer("elementwise", bottoms, compute, operation=operation, **parameters)

    def activation(self, x, mode, compute, **parameters):
        return self.layer("activation", x, compute, mode=mode, **parameters)

    # ---- the folder
    def description(self, names):
        description = Model_pb2.ModelDescription()
        for name, value in self.inputs.items():
            feature = description.input.add(name=name)
            feature.type.multiArrayType.shape.extend(value.shape)
            feature.type.multiArrayType.dataType = FeatureTypes_pb2.ArrayFeatureType.FLOAT32
        for name, (pixels, bgr) in self.images.items():
            image = description.input.add(name=name).type.imageType
            image.height, image.width = pixels.shape[:2]
            image.colorSpace = image.ColorSpace.Value("BGR" if bgr else "RGB")
        if self.labels is not None:
            description.output.add(name="label").type.stringType.SetInParent()
            description.output.add(name="probabilities").type.dictionaryType.stringKeyType.SetInParent()
            description.predictedFeatureName = "label"
            description.predictedProbabilitiesName = "probabilities"
            return description
        for name in names:
            array = description.output.add(name=name).type.multiArrayType
            array.dataType = FeatureTypes_pb2.ArrayFeatureType.FLOAT32
        return description

    def write(self, folder):
        folder.mkdir(parents=True)

        def version(*numbers, variant=b""):
            return struct.pack("<4Q", *numbers, len(variant)) + variant

        description = self.description(self.outputs).SerializeToString()
        kind = NEURAL_NETWORK if self.labels is None else NEURAL_NETWORK_CLASSIFIER
        (folder / "coremldata.bin").write_bytes(
            struct.pack("<I", kind) + version(3, 0, 0, variant=b"generic") + version(self.version, 0, 0) +
            struct.pack("<Q", len(description)) + description)
        net = {"storage": "model.espresso.weights", "properties": {}, "format_version": 200,
               "metadata_in_weights": [], "layers": self.layers}
        if self.transforms:
            net["transform_params"] = self.transforms
        (folder / "model.espresso.net").write_text(json.dumps(net))
        shapes = {}
        for name, value in self.values.items():
            sizes = dict(zip("whkn", reversed(value.shape)), _rank=len(value.shape))
            shapes[name] = dict.fromkeys("nkhw", 1) | sizes
        (folder / "model.espresso.shape").write_text(json.dumps({"layer_shapes": shapes}))
        table, data = b"", b""
        for index in range(2 * len(self.blobs)):
            blob = self.blobs.get(index, b"")
            padding = -(8 + 32 * len(self.blobs) + len(data)) % 64 if index % 2 == 0 else 0
            table += struct.pack("<2Q", index, len(blob) + padding)
            data += b"\0" * padding + blob
        (folder / "model.espresso.weights").write_bytes(struct.pack("<Q", 2 * len(self.blobs)) + table + data)
        metadata = [{"classLabels": self.labels} if self.labels is not None else {}]
        (folder / "metadata.json").write_text(json.dumps(metadata))
        return folder

    def given(self):
        return {**self.inputs, **{name: pixels for name, (pixels, _) in self.images.items()}}


def mobile(seed):
    """Strided, grouped and padded convolutions with hard swish and squeeze-and-excite, on an image."""
    net = Network(seed)
    x = net.convolution(net.image("image", 33, 30), 8, (3, 3), "blob_weights_f16", bias=False, stride=2, same=True)
    x = net.instance_norm(x)
    h = net.elementwise(x, 2, lambda v: v + 3, alpha=3, beta=0)
    h = net.elementwise(h, 119, lambda v: v.clamp(0, 6), alpha=0, beta=6)
    h = net.elementwise(h, 3, lambda v: v * np.float32(1 / 6), alpha=1 / 6, beta=0)
    x = net.elementwise([x, h], 1, lambda a, b: a * b, alpha=1, beta=0)
    x = net.convolution(x, 8, (5, 5), "blob_weights_f16", groups=8, stride=2, same=True, relu=True)
    g = net.convolution(net.global_pool(x), 4, (1, 1), relu=True)
    g = net.activation(net.convolution(g, 8, (1, 1)), 3, torch.sigmoid)
    x = net.elementwise([x, g], 1, lambda a, b: a * b, alpha=1, beta=0, nd_mode=True)
    y = net.convolution(x, 8, (3, 2), pads=(1, 1, 0, 1), tanh=True)
    x = net.elementwise([x, y], 0, lambda a, b: F.relu(a + b), alpha=1, beta=0, fused_relu=1)
    x = net.inner_product(net.global_pool(x), 16, "blob_weights_f16", relu=True, flatten=True)
    net.output(net.inner_product(x, 5, padded=True, flatten=True))
    return net


def keras(seed):
    """A network as TensorFlow lays it out: transposed at both ends, flattened, of exact shapes."""
    net = Network(seed)
    x = net.layer("transpose", net.input("x", (1, 12, 14, 3)), lambda v: v.permute(0, 3, 1, 2), axis_w=1, axis_h=2,
                  axis_k=0, axis_n=3, axis_seq=4)
    x = net.convolution(x, 6, (5, 3), same=True, relu=True)
    x = net.pool(x, 3, 2)
    x = net.convolution(x, 4, (3, 3), dilation=1, same=True)
    x = net.pool(x, 2, 2, kind="average")
    x = net.layer("transpose", x, lambda v: v.permute(0, 2, 3, 1), axis_w=2, axis_h=0, axis_k=1, axis_n=3, axis_seq=4)
    x = net.layer("reshape", x, lambda v: v.reshape(1, -1), mode=0, version=1, dynamic_shape=False, dst_w=24, dst_h=-1,
                  dst_k=1, dst_n=1, dst_seq=1, dst_nd_rank=2)
    x = net.inner_product(x, 7, relu=True, padded=True)
    net.output(net.layer("softmax_nd", net.inner_product(x, 3), lambda v: v.softmax(-1), nd_axis=-1))
    return net


def unet(seed):
    """Splits, concatenations, transposed convolutions, bilinear and nearest upsampling, 8-bit weights."""
    net = Network(seed)
    x = net.convolution(net.input("x", (1, 4, 11, 13)), 6, (3, 3), "W_U8", pads=(1, 1, 1, 1), relu=True)
    low = net.pool(x, 2, 2, ceil=True)
    a, b = net.layer("split_nd", low, lambda v: list(v.split((2, 4), 1)), tops=["left", "right"], nd_axis=-3, begin_0=0)
    weight = net.weights(2, 1, 4, 4)
    up = net.layer("deconvolution", a, lambda v: F.conv_transpose2d(v, torch.from_numpy(weight), None, 2, 1, groups=2),
                   C=2, K=2, n_groups=2, n_parallel=1, Nx=4, Ny=4, stride_x=2, stride_y=2, pad_t=1, pad_b=1, pad_l=1,
                   pad_r=1, pad_mode=0, has_biases=0, blob_weights=net.blob(weight), deconv_out_height=12,
                   deconv_out_width=14)
    smooth = net.layer("upsample", b, lambda v: F.interpolate(v, scale_factor=2, mode="bilinear", align_corners=False),
                       mode=1, scaling_factor_x=2, scaling_factor_y=2, align_corners=0, is_legacy_mode=0,
                       fractional_scaling_factor_x=1, fractional_scaling_factor_y=1)
    near = net.layer("upsample", b, lambda v: F.interpolate(v, scale_factor=2, mode="nearest"), mode=0,
                     scaling_factor_x=2, scaling_factor_y=2)
    x = net.layer("concat", [up, smooth, near], lambda *v: torch.cat(v, 1), axis=1)
    constant = net.weights(1, 10, 1, 1)
    c = net.layer("load_constant", [], lambda: torch.from_numpy(constant), n=1, k=10, h=1, w=1, nd_rank=4,
                  constant_blob=net.blob(constant))
    x = net.elementwise([x, c], 23, torch.maximum, nd_mode=True)
    x = net.layer("crop", x, lambda v: v[:, :, 1:-2, 2:-1], t=1, b=2, l=2, r=1)
    net.output(net.layer("general_padding", x, lambda v: F.pad(v, (1, 2, 2, 1), mode="reflect"), pad_t=2, pad_b=1,
                         pad_l=1, pad_r=2, pad_pad_mode=1, pad_value=0, pad_fill_mode=0))
    return net


def functions(seed):
    """Activations, unary and binary functions, reductions, slices and matrix products."""
    net = Network(seed)
    x = net.input("x", (1, 3, 4, 5))
    activations = [(0, torch.relu, {}), (1, torch.tanh, {}), (2, lambda v: F.leaky_relu(v, 0.2), {"alpha": 0.2}),
                   (3, torch.sigmoid, {}), (5, lambda v: 1.5 * torch.tanh(0.7 * v), {"alpha": 1.5, "beta": 0.7}),
                   (6, lambda v: 2 * v - 0.5, {"alpha": 2, "beta": -0.5}), (8, lambda v: F.elu(v, 0.3), {"alpha": 0.3}),
                   (9, lambda v: torch.where(v > 0.25, v, 0 * v), {"alpha": 0.25}), (10, F.softplus, {}),
                   (12, F.softsign, {}), (19, F.gelu, {}), (20, torch.erf, {}),
                   (21, lambda v: F.gelu(v, approximate="tanh"), {}), (22, lambda v: v * torch.sigmoid(1.702 * v), {})]
    for mode, compute, parameters in activations:
        net.output(net.activation(x, mode, compute, **parameters))
    positive = net.elementwise(net.elementwise(x, 24, torch.abs), 2, lambda v: v + 0.1, alpha=0.1)
    unit = net.activation(x, 1, torch.tanh)
    for operation, compute in [(11, torch.sqrt), (27, torch.exp), (35, torch.exp2), (37, torch.round),
                               (38, torch.sign), (114, torch.cos), (115, torch.sin), (117, torch.floor),
                               (118, torch.ceil), (121, torch.tan), (122, torch.cosh), (123, torch.sinh),
                               (125, torch.acos), (126, torch.asin), (127, torch.atan), (130, torch.atanh)]:
        source = positive if operation == 11 else unit if operation in (125, 126, 130) else x
        net.output(net.elementwise(source, operation, compute, alpha=1, beta=0))
    for operation, compute in [(10, lambda v: 1 / (v + 1e-4)), (12, lambda v: 1 / torch.sqrt(v + 1e-4)),
                               (26, lambda v: torch.log(v + 1e-4))]:
        net.output(net.elementwise(positive, operation, compute, eps=1e-4))
    y = net.input("y", (1, 3, 1, 5))
    for operation, compute in [(0, torch.add), (1, torch.mul), (22, torch.minimum), (23, torch.maximum),
                               (36, torch.remainder), (102, torch.div), (1021, torch.floor_divide)]:
        net.output(net.elementwise([x, y], operation, compute, nd_mode=True))
    net.output(net.elementwise([positive, y], 13, torch.pow, nd_mode=True))
    for operation, compute in [(100, torch.eq), (103, torch.lt), (104, torch.le), (105, torch.gt), (106, torch.ge),
                               (107, torch.ne)]:
        net.output(net.elementwise([x, y], operation, lambda a, b, c=compute: c(a, b).float(), nd_mode=True))
    condition = net.elementwise([x, y], 105, lambda a, b: torch.gt(a, b).float(), nd_mode=True)
    net.output(net.elementwise([condition, x, y], 101, lambda c, a, b: torch.where(c != 0, a, b), nd_mode=True))
    for mode, compute in [(0, torch.sum), (1, torch.mean), (5, torch.linalg.vector_norm), (10, torch.amin)]:
        net.output(net.layer("reduce", x, lambda v, c=compute: c(v, dim=(2, 3), keepdim=True), mode=mode, axis_mode=2))
    net.output(net.layer("reduce", x, lambda v: v.prod(3, keepdim=True), mode=2, axis_mode=0))
    net.output(net.layer("slice", x, lambda v: v[:, :, 1:3], axis=1, start=1, end=3))
    net.output(net.layer("batch_matmul", [x, x], lambda a, b: a @ b.mT, transpose_y=1, channel_mode=False))
    even = net.layer("slice", net.input("z", (1, 4, 4, 6)), lambda v: v[:, :, 2:], axis=1, start=2, end=4)
    net.output(net.layer("space_to_depth", even, lambda v: v.reshape(1, 4, 1, 2, 3, 2).permute(0, 3, 5, 1, 2, 4).reshape(
        1, 16, 1, 3), block_size=2, reverse=0))
    net.output(net.layer("space_to_depth", even, lambda v: v.reshape(1, 2, 2, 1, 2, 6).permute(0, 3, 4, 1, 5, 2).reshape(
        1, 1, 4, 12), block_size=2, reverse=1))
    squeezed = net.layer("squeeze", x, lambda v: v[0], axes_0=0)
    net.output(net.layer("expand_dims", squeezed, lambda v: v[:, None], axes_0=1))
    net.output(net.affine(x))
    for axis in (0, 1, -1):
        net.output(net.layer("stack_nd", [squeezed, net.activation(squeezed, 1, torch.tanh)],
                             lambda a, b, axis=axis: torch.stack((a, b), axis), nd_axis=axis))
    net.output(net.layer("tile", x, lambda v: v.repeat(1, 2, 1, 3), dst_w=3, dst_h=1, dst_k=2, dst_n=1, dst_seq=1))
    return net


def old_mapping(seed):
    """Version 1: an array of [channels, height, width], blobs of five dimensions, a softmax over the channels."""
    net = Network(seed, rank5=True)
    x = net.convolution(net.input("x", (3, 9, 8)), 5, (3, 3), relu=True)
    x = net.layer("concat", [x, x], lambda a, b: torch.cat((a, b), 1))
    x = net.layer("flatten", net.pool(x, 2, 2), lambda v: v.reshape(1, -1, 1, 1))
    x = net.inner_product(x, 6, flatten=True)
    net.output(net.layer("softmax", x, lambda v: v.softmax(1), C=6))
    return net


def classifier(seed):
    """Labels from metadata.json, on a BGR image."""
    net = Network(seed)
    x = net.convolution(net.image("image", 8, 10, bgr=True), 4, (3, 3), relu=True)
    x = net.inner_product(net.global_pool(x), 3, flatten=True)
    net.output(net.layer("softmax", x, lambda v: v.softmax(1), C=3))
    net.labels = ["ant", "bee", "cat"]
    return net


NETWORKS = [mobile, keras, unet, functions, old_mapping, classifier]
LIMIT = 1e-5


def difference(net, folder):
    """The largest difference, as a part of the largest value."""
    outputs = anemone.FeatureModel(folder).predict(net.given())
    if net.labels is not None:
        expected = dict(zip(net.labels, net.values[net.outputs[0]].flatten().tolist()))
        if outputs["label"] != max(expected, key=expected.get):
            return float("inf")
        return max(abs(outputs["probabilities"][label] - value) for label, value in expected.items())
    worst = 0.0
    for name in net.outputs:
        expected = net.values[name].numpy().astype(np.float64)
        ours = np.asarray(outputs[name], dtype=np.float64).reshape(expected.shape)
        extent = max(1.0, np.abs(expected).max())
        distance = np.abs(ours - expected).max() / extent
        if not distance <= LIMIT:
            layer = next(each for each in net.layers if name in each["top"].split(","))
            print(f"  {name} differs by {distance:.2e}: {layer}")
        worst = max(worst, distance)
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=pathlib.Path, help="where the folders stay")
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as scratch:
        for make in NETWORKS:
            for seed in range(3):
                net = make(seed)
                folder = net.write((options.keep or pathlib.Path(scratch)) / f"{make.__name__}-{seed}.mlmodelc")
                worst = difference(net, folder)
                wrong += not worst <= LIMIT
                print(f"{make.__name__:12} seed {seed}: {len(net.layers):3} layers, {len(net.outputs):2} outputs, largest "
                      f"relative difference {worst:.1e} (limit {LIMIT:.0e})", flush=True)
    print(f"{3 * len(NETWORKS)} networks, {wrong} differ")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
