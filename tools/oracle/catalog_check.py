#!/usr/bin/env python3
"""Shows that the importers take the networks of models/catalog.json that come as ONNX: exports each architecture with random
weights, converts it with the command, runs it, and compares with ONNX Runtime. Also compares what the catalog says of timm's
and torchvision's weights with what those packages say. Needs torch, timm, torchvision, transformers and onnxruntime; run it
from the root after `./dev build`.

  catalog_check.py [NAME...]    prints the largest difference relative to the output's range
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime
import timm
import torch
import torchvision
import transformers

ANEMONE = os.environ.get("ANEMONE_COMMAND", "build/bin/anemone")
TOLERANCE = 1e-4


class Wrap(torch.nn.Module):
    """Calls a model the way its ONNX export does."""

    def __init__(self, model, call):
        super().__init__()
        self.model, self.call = model, call

    def forward(self, *inputs):
        return self.call(self.model, *inputs)


def timm_model(name):
    return lambda: timm.create_model(name, pretrained=False)


def distilbert():
    model = transformers.DistilBertForSequenceClassification(transformers.DistilBertConfig())
    return Wrap(model, lambda m, ids, mask: m(input_ids=ids, attention_mask=mask).logits)


def whisper():
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    config = transformers.WhisperConfig(d_model=384, encoder_layers=4, encoder_attention_heads=6, encoder_ffn_dim=1536)
    return Wrap(WhisperEncoder(config), lambda m, x: m(x).last_hidden_state)


def vit():
    return Wrap(transformers.ViTForImageClassification(transformers.ViTConfig(num_labels=1000)), lambda m, x: m(x).logits)


def depth_anything():
    backbone = transformers.Dinov2Config(hidden_size=384, num_hidden_layers=12, num_attention_heads=6, image_size=518,
                                         patch_size=14, out_indices=[3, 6, 9, 12], apply_layernorm=True,
                                         reshape_hidden_states=False)
    config = transformers.DepthAnythingConfig(backbone_config=backbone, neck_hidden_sizes=[48, 96, 192, 384],
                                              fusion_hidden_size=64, reassemble_hidden_size=384, head_in_channels=64)
    return Wrap(transformers.DepthAnythingForDepthEstimation(config), lambda m, x: m(x).predicted_depth)


def yolos():
    config = transformers.YolosConfig(hidden_size=192, num_hidden_layers=12, num_attention_heads=3, intermediate_size=768,
                                      image_size=[800, 1333], num_detection_tokens=100, use_mid_position_embeddings=False,
                                      num_labels=91)

    def call(model, x):
        outputs = model(x)
        return outputs.logits, outputs.pred_boxes

    return Wrap(transformers.YolosForObjectDetection(config), call)


def clip():
    model = transformers.CLIPVisionModelWithProjection(transformers.CLIPVisionConfig(projection_dim=512))
    return Wrap(model, lambda m, x: m(x).image_embeds)


def dinov2():
    config = transformers.Dinov2Config(hidden_size=384, num_hidden_layers=12, num_attention_heads=6, image_size=518,
                                       patch_size=14)
    return Wrap(transformers.Dinov2Model(config), lambda m, x: m(x).last_hidden_state)


ARCHITECTURES = {
    "mobilenetv4_conv_small": timm_model("mobilenetv4_conv_small"),
    "convnext_tiny": timm_model("convnext_tiny"),
    "vit_base_patch16_224": vit,
    "mobileclip_s0_image": timm_model("fastvit_mci0"),
    "depth_anything_v2_small": depth_anything,
    "yolos_tiny": yolos,
    "clip_vit_b32_image": clip,
    "dinov2_small": dinov2,
    "distilbert_sst2": distilbert,
    "whisper_tiny_en_encoder": whisper,
}


def random_input(spec):
    if spec["dtype"].startswith("int"):
        high = 2 if "mask" in spec["name"] else 30000
        return torch.randint(1, high, spec["shape"])
    return torch.randn(spec["shape"])


def check(entry, folder):
    torch.manual_seed(0)
    model = ARCHITECTURES[entry["name"]]().eval()
    inputs = [random_input(spec) for spec in entry["inputs"]]
    names = [spec["name"] for spec in entry["inputs"]]
    path = f"{folder}/model.onnx"
    with torch.no_grad():
        given = model(*inputs)
        outputs = [f"output_{i}" for i in range(len(given) if isinstance(given, tuple) else 1)]
        torch.onnx.export(model, tuple(inputs), path, input_names=names, output_names=outputs, opset_version=17,
                          dynamo=False)
    feeds = {name: value.numpy() for name, value in zip(names, inputs)}
    wanted = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(outputs, feeds)
    command = [ANEMONE, "run", f"{folder}/model.mlpackage", "--output-dir", folder]
    for name, value in feeds.items():
        np.save(f"{folder}/{name}.npy", value.astype(np.int32) if value.dtype == np.int64 else value)
        command += ["--input", f"{name}={folder}/{name}.npy"]
    subprocess.run([ANEMONE, "convert", path, "-o", f"{folder}/model.mlpackage"], check=True, capture_output=True)
    subprocess.run(command, check=True, capture_output=True)
    worst = 0.0
    for name, want in zip(outputs, wanted):
        got = np.load(f"{folder}/{name}.npy")
        worst = max(worst, float(np.abs(got - want).max() / (want.max() - want.min())))
    return worst


def facts(entry):
    """Claims of the catalog about weights that an installed package contradicts."""
    wrong = []
    file, source = entry["files"][0], entry["source"]
    if entry["naming"] == "torchvision":
        kind, _, member = source.split(", ")[1].split(";")[0].partition(".")
        weights = getattr(torchvision.models, kind)[member]
        if weights.url != file["url"]:
            wrong.append("url")
        if not pathlib.PurePath(file["url"]).stem.endswith(file["sha256_prefix"]):
            wrong.append("sha256_prefix")
        metrics = weights.meta["_metrics"]["ImageNet-1K"]
        for row in entry["accuracy"]:
            if metrics[{"top-1": "acc@1", "top-5": "acc@5"}[row["metric"]]] != row["value"]:
                wrong.append(row["metric"])
    if entry["naming"] == "timm":
        config = timm.get_pretrained_cfg(source.split()[-1])
        if f"https://huggingface.co/{config.hf_hub_id}/resolve/main/model.safetensors" != file["url"]:
            wrong.append("url")
        if config.license != entry["license"]:
            wrong.append("license")
        if list(config.mean) != entry["inputs"][0]["preprocessing"]["mean"]:
            wrong.append("mean")
    return wrong


def main():
    catalog = json.loads(pathlib.Path("models/catalog.json").read_text())["models"]
    chosen = sys.argv[1:] or [entry["name"] for entry in catalog]
    failures = 0
    for entry in catalog:
        if entry["name"] not in chosen:
            continue
        wrong = facts(entry)
        if wrong:
            failures += 1
            print(f"{entry['name']:26} the package says otherwise: {', '.join(wrong)}")
        if entry["import"] != "onnx":
            continue
        with tempfile.TemporaryDirectory() as folder:
            difference = check(entry, folder)
        failures += difference > TOLERANCE
        print(f"{entry['name']:26} L-inf / range {difference:.2e}  {'passed' if difference <= TOLERANCE else 'FAILED'}")
    return failures


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
