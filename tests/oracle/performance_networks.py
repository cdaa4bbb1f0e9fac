"""Writes the networks of bench/peers.py, with seeded weights, as .onnx files of an open batch.

    ./dev oracle performance_networks FOLDER [NAME...]

Needs torch, torchvision and timm; and, for PP-OCRv4 and Silero VAD, the packages rapidocr-onnxruntime and silero-vad, whose
files are copied.
"""

import importlib.util
import shutil
import sys
from pathlib import Path

import timm
import torch
import torchvision
from timm.utils.model import reparameterize_model


class Bert(torch.nn.Module):
    """An encoder of MiniLM-L6's size: 6 layers of width 384."""

    def __init__(self):
        super().__init__()
        self.tokens = torch.nn.Embedding(30522, 384)
        self.places = torch.nn.Embedding(512, 384)
        layer = torch.nn.TransformerEncoderLayer(384, 12, 1536, activation="gelu", batch_first=True)
        self.layers = torch.nn.TransformerEncoder(layer, 6, enable_nested_tensor=False)

    def forward(self, ids):
        places = torch.arange(ids.shape[1], device=ids.device)
        return self.layers(self.tokens(ids) + self.places(places))


IMAGE = {
    "fastvit_t8": (lambda: reparameterize_model(timm.create_model("fastvit_t8").eval()), 256),
    "mobilenet_v3_small": (torchvision.models.mobilenet_v3_small, 224),
    "resnet50": (torchvision.models.resnet50, 224),
    "efficientnet_lite0": (lambda: timm.create_model("tf_efficientnet_lite0"), 224),
    "vit_tiny": (lambda: timm.create_model("vit_tiny_patch16_224"), 224),
    "repvit_m0_9": (lambda: reparameterize_model(timm.create_model("repvit_m0_9").eval()), 224),
    "convnext_atto": (lambda: timm.create_model("convnext_atto"), 224),
    "mobilevit_s": (lambda: timm.create_model("mobilevit_s"), 256),
    "densenet121": (torchvision.models.densenet121, 224),
}
PACKAGES = {
    "ppocrv4_det": ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx"),
    "ppocrv4_rec": ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx"),
    "silero_vad": ("silero_vad", "data/silero_vad.onnx"),
}


def export(module, example, name, folder):
    torch.onnx.export(module.eval(), example, str(folder / f"{name}.onnx"), opset_version=17, dynamo=False,
                      input_names=[name_of(example)], output_names=["output"],
                      dynamic_axes={name_of(example): {0: "batch"}, "output": {0: "batch"}})


def name_of(example):
    return "image" if example.is_floating_point() else "ids"


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    wanted = sys.argv[2:] or [*IMAGE, "bert_minilm", *PACKAGES]
    for name in wanted:
        torch.manual_seed(0)
        if name in IMAGE:
            make, size = IMAGE[name]
            export(make(), torch.randn(1, 3, size, size), name, folder)
        elif name == "bert_minilm":
            export(Bert(), torch.randint(0, 30522, (1, 128)), name, folder)
        else:
            package, inside = PACKAGES[name]
            found = importlib.util.find_spec(package)
            if found is None:
                print(f"{name}: left out, the package {package} is not installed", file=sys.stderr)
                continue
            shutil.copy(Path(found.origin).parent / inside, folder / f"{name}.onnx")
        print(name, flush=True)


if __name__ == "__main__":
    main()
