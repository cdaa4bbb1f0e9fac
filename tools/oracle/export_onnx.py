"""Writes the ONNX files that the importer is checked against into ORACLE_ONNX (default build/oracle/onnx).

Needs the oracle environment (torch, torchvision, timm, onnx); nothing here is used by `./dev test`.
All weights are random; batch-norm statistics are calibrated so that activations stay in range.
Usage: export_onnx.py [--only SUBSTRING] [--list]
"""

import argparse
import os
import sys

import numpy as np
import onnx
import torch
import torchvision
import timm
from onnx import TensorProto, helper, numpy_helper
from timm.utils.model import reparameterize_model

OUT = os.environ.get("ORACLE_ONNX", "build/oracle/onnx")
OPSETS = [13, 14, 15, 16, 17, 18]


def calibrate(model, size):
    """Gives each batch norm plausible running statistics, then freezes the model."""
    torch.manual_seed(0)
    model.train()
    with torch.no_grad():
        for _ in range(2):
            model(torch.randn(4, 3, size, size))
    return model.eval()


def vision(name):
    torch.manual_seed(0)
    makers = {
        "timm_fastvit_t8": (lambda: timm.create_model("fastvit_t8"), 256),
        "timm_resnet50": (lambda: timm.create_model("resnet50"), 224),
        "tv_resnet50": (torchvision.models.resnet50, 224),
        "tv_mobilenet_v3_small": (torchvision.models.mobilenet_v3_small, 224),
        "timm_mobilenetv3_small_100": (lambda: timm.create_model("mobilenetv3_small_100"), 224),
    }
    make, size = makers[name]
    model = calibrate(make(), size)
    if "fastvit" in name:
        model = reparameterize_model(model).eval()
    return model, size


def export_vision(name, opsets, unfolded, dynamo):
    model, size = vision(name)
    x = torch.randn(1, 3, size, size)
    for opset in opsets:
        torch.onnx.export(model, (x,), f"{OUT}/{name}.op{opset}.onnx", input_names=["image"],
                          output_names=["logits"], opset_version=opset, dynamo=False)
    for opset in unfolded:
        torch.onnx.export(model, (x,), f"{OUT}/{name}.op{opset}.unfolded.onnx",
                          input_names=["image"], output_names=["logits"], opset_version=opset,
                          training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
                          dynamo=False)
    if dynamo:
        path = f"{OUT}/{name}.op18.dynamo.onnx"
        try:
            torch.onnx.export(model, (x,), input_names=["image"], output_names=["logits"],
                              opset_version=18, dynamo=True).save(path, external_data=True)
        except Exception as error:  # the exporter is young: say so and go on
            print("dynamo export failed:", name, type(error).__name__, str(error)[:300])


def mnist():
    """The shape of the ONNX zoo's mnist (opset 8, IR version 3: initializers are also inputs)."""
    rng = np.random.default_rng(0)

    def tensor(name, shape, scale=0.2):
        return numpy_helper.from_array((rng.standard_normal(shape) * scale).astype(np.float32), name)

    weights = [tensor("conv1_w", (8, 1, 5, 5)), tensor("conv1_b", (8, 1, 1)),
               tensor("conv2_w", (16, 8, 5, 5), 0.08), tensor("conv2_b", (16, 1, 1)),
               tensor("fc_w", (16, 4, 4, 10)), tensor("fc_b", (1, 10)),
               numpy_helper.from_array(np.array([1, 256], np.int64), "flat"),
               numpy_helper.from_array(np.array([256, 10], np.int64), "fc_shape")]
    nodes = [
        helper.make_node("Reshape", ["fc_w", "fc_shape"], ["fc_w2"], "Times212_reshape1"),
        helper.make_node("Conv", ["Input3", "conv1_w"], ["c1"], "Convolution28", auto_pad="SAME_UPPER",
                         kernel_shape=[5, 5], strides=[1, 1], dilations=[1, 1], group=1),
        helper.make_node("Add", ["c1", "conv1_b"], ["a1"], "Plus30"),
        helper.make_node("Relu", ["a1"], ["r1"], "ReLU32"),
        helper.make_node("MaxPool", ["r1"], ["p1"], "Pooling66", auto_pad="NOTSET",
                         kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0]),
        helper.make_node("Conv", ["p1", "conv2_w"], ["c2"], "Convolution110", auto_pad="SAME_UPPER",
                         kernel_shape=[5, 5], strides=[1, 1], dilations=[1, 1], group=1),
        helper.make_node("Add", ["c2", "conv2_b"], ["a2"], "Plus112"),
        helper.make_node("Relu", ["a2"], ["r2"], "ReLU114"),
        helper.make_node("MaxPool", ["r2"], ["p2"], "Pooling160", auto_pad="NOTSET",
                         kernel_shape=[3, 3], strides=[3, 3], pads=[0, 0, 0, 0]),
        helper.make_node("Reshape", ["p2", "flat"], ["p2f"], "Times212_reshape0"),
        helper.make_node("MatMul", ["p2f", "fc_w2"], ["fc"], "Times212"),
        helper.make_node("Add", ["fc", "fc_b"], ["Plus214_Output_0"], "Plus214"),
    ]
    inputs = [helper.make_tensor_value_info("Input3", TensorProto.FLOAT, [1, 1, 28, 28])]
    inputs += [helper.make_tensor_value_info(w.name, w.data_type, list(w.dims)) for w in weights]
    graph = helper.make_graph(nodes, "CNTKGraph", inputs, [helper.make_tensor_value_info(
        "Plus214_Output_0", TensorProto.FLOAT, [1, 10])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 8)], ir_version=3)
    onnx.save(model, f"{OUT}/mnist.op8.onnx")


class SuperResolution(torch.nn.Module):
    def __init__(self, upscale=3):
        super().__init__()
        conv = torch.nn.Conv2d
        self.body = torch.nn.Sequential(
            conv(1, 64, 5, 1, 2), torch.nn.ReLU(), conv(64, 64, 3, 1, 1), torch.nn.ReLU(),
            conv(64, 32, 3, 1, 1), torch.nn.ReLU(), conv(32, upscale**2, 3, 1, 1))
        self.shuffle = torch.nn.PixelShuffle(upscale)

    def forward(self, x):
        return self.shuffle(self.body(x))


def super_resolution():
    torch.manual_seed(0)
    model = SuperResolution().eval()
    x = torch.randn(1, 1, 56, 56)
    for opset in (9, 10, 11, 17):
        torch.onnx.export(model, (x,), f"{OUT}/super_resolution.op{opset}.onnx", input_names=["input"],
                          output_names=["output"], opset_version=opset, dynamo=False,
                          dynamic_axes={"input": {0: "batch_size"}, "output": {0: "batch_size"}})


class Attention(torch.nn.Module):
    """A ViT-like encoder with the shape arithmetic of a dynamic-batch export."""

    def __init__(self, dim=64, heads=4):
        super().__init__()
        layer = torch.nn.TransformerEncoderLayer(dim, heads, 128, activation="gelu", batch_first=True)
        self.patch = torch.nn.Conv2d(3, dim, 8, 8)
        self.cls = torch.nn.Parameter(torch.randn(1, 1, dim))
        self.encoder = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = torch.nn.Linear(dim, 10)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1)
        return self.head(self.encoder(x)[:, 0])


def transformer():
    torch.manual_seed(0)
    torch.backends.mha.set_fastpath_enabled(False)
    model = Attention().eval()
    x = torch.randn(1, 3, 32, 32)
    for opset in (14, 17, 18):
        torch.onnx.export(model, (x,), f"{OUT}/vit_tiny.op{opset}.onnx", input_names=["image"],
                          output_names=["logits"], opset_version=opset, dynamo=False,
                          dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}})


def packaged():
    """Networks with real weights that PyPI packages ship (installed with pip --no-deps)."""
    import importlib.util
    import shutil
    for package in ("rapidocr_onnxruntime", "silero_vad", "magika"):
        spec = importlib.util.find_spec(package)
        if spec is None:
            print("not installed:", package)
            continue
        for folder, _, files in os.walk(os.path.dirname(spec.origin)):
            for file in files:
                if file.endswith(".onnx"):
                    tag = os.path.basename(folder) if package == "magika" else package.split("_")[0]
                    name = f"{tag}.{file}"
                    if package == "magika":
                        name = f"magika.{tag}.onnx"
                    shutil.copy(os.path.join(folder, file), f"{OUT}/{name}")


JOBS = {
    "mnist": mnist,
    "super_resolution": super_resolution,
    "vit_tiny": transformer,
    "packaged": packaged,
    "timm_mobilenetv3_small_100": lambda: export_vision("timm_mobilenetv3_small_100", OPSETS, [13, 17], True),
    "tv_mobilenet_v3_small": lambda: export_vision("tv_mobilenet_v3_small", OPSETS, [13, 17], True),
    "timm_fastvit_t8": lambda: export_vision("timm_fastvit_t8", OPSETS, [13, 17], True),
    "timm_resnet50": lambda: export_vision("timm_resnet50", [13, 17], [17], False),
    "tv_resnet50": lambda: export_vision("tv_resnet50", [13, 17, 18], [17], True),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    os.makedirs(OUT, exist_ok=True)
    torch.set_num_threads(1)
    for name, job in JOBS.items():
        if args.only not in name:
            continue
        print(name, flush=True)
        if not args.list:
            job()


if __name__ == "__main__":
    sys.exit(main())
