#!/usr/bin/env python3
"""Compares the catalog's models with timm's and torchvision's on the same weights, and writes the golden logits that
`./dev test` checks. Needs torch, timm, torchvision and safetensors; run it from the root after `./dev build`.

  zoo_check.py            every architecture and naming, random weights: largest difference relative to the logits' range
  zoo_check.py --golden   seeded weights: writes tests/fixtures/golden/zoo.npz, and prints where the activations lie
"""

import argparse
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import numpy as np
import timm
import torch
import torchvision
from safetensors.torch import load_file, save_file
from timm.utils import reparameterize_model

ANEMONE = "build/bin/anemone"
ZOO_TESTS = "build/release/anemone_tests_zoo"
GOLDEN = pathlib.Path("tests/fixtures/golden/zoo.npz")
TOLERANCE = 1e-4
GOLDEN_COUNT = 20


def timm_model(name):
    return timm.create_model(name, pretrained=False)


# Kind, catalog name, input size, model in PyTorch, whether to reparameterize.
CASES = [
    ("timm", "fastvit_t8", 256, lambda: timm_model("fastvit_t8"), False),
    ("timm, reparameterized", "fastvit_t8", 256, lambda: timm_model("fastvit_t8"), True),
    ("timm", "mobilenetv3_small", 224, lambda: timm_model("mobilenetv3_small_100"), False),
    ("torchvision", "mobilenetv3_small", 224, torchvision.models.mobilenet_v3_small, False),
    ("timm", "resnet50", 224, lambda: timm_model("resnet50"), False),
    ("torchvision", "resnet50", 224, torchvision.models.resnet50, False),
    ("timm", "fastvit_t12", 256, lambda: timm_model("fastvit_t12"), False),
    ("timm, reparameterized", "fastvit_t12", 256, lambda: timm_model("fastvit_t12"), True),
    ("timm", "fastvit_s12", 256, lambda: timm_model("fastvit_s12"), False),
    ("timm", "mobilenetv3_large", 224, lambda: timm_model("mobilenetv3_large_100"), False),
    ("torchvision", "mobilenetv3_large", 224, torchvision.models.mobilenet_v3_large, False),
    ("timm", "resnet18", 224, lambda: timm_model("resnet18"), False),
    ("torchvision", "resnet18", 224, torchvision.models.resnet18, False),
    ("torchvision", "resnet34", 224, torchvision.models.resnet34, False),
    ("torchvision", "resnet101", 224, torchvision.models.resnet101, False),
    ("torchvision", "resnet152", 224, torchvision.models.resnet152, False),
    ("timm", "mobilenetv2", 224, lambda: timm_model("mobilenetv2_100"), False),
    ("torchvision", "mobilenetv2", 224, torchvision.models.mobilenet_v2, False),
    ("timm", "efficientnet_b0", 224, lambda: timm_model("efficientnet_b0"), False),
    ("torchvision", "efficientnet_b0", 224, torchvision.models.efficientnet_b0, False),
    ("timm", "efficientnet_b1", 240, lambda: timm_model("efficientnet_b1"), False),
    ("torchvision", "efficientnet_b1", 240, torchvision.models.efficientnet_b1, False),
    ("timm", "efficientnet_lite0", 224, lambda: timm_model("efficientnet_lite0"), False),
    ("timm", "efficientnet_lite1", 240, lambda: timm_model("efficientnet_lite1"), False),
    ("timm", "efficientnet_lite2", 260, lambda: timm_model("efficientnet_lite2"), False),
]


def pattern(size):
    """The picture of the golden test: tests/unit/zoo/golden_test.cc makes the same one."""
    c, y, x = np.meshgrid(np.arange(3), np.arange(size), np.arange(size), indexing="ij")
    return (((31 * c + 7 * y + 13 * x + x * y % 61) % 256).astype(np.float32) / np.float32(127.5) - np.float32(1))[None]


def randomize(model, size):
    """Random weights with batch-norm statistics measured on noise, so that activations stay in range."""
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "layer_scale" in name:
                parameter.uniform_(0.1, 1.0, generator=generator)
            elif ".layer" in "." + name and name.endswith(("bn2.weight", "bn3.weight")):
                # Fifty strong branches in a row would blow up the rounding of float32.
                parameter.uniform_(0.1, 0.3, generator=generator)
            elif parameter.dim() == 1:
                low, high = (0.6, 1.4) if name.endswith("weight") else (-0.3, 0.3)
                parameter.uniform_(low, high, generator=generator)
            else:
                parameter.normal_(0, parameter[0].numel() ** -0.5, generator=generator)
        norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
        for norm in norms:
            norm.momentum = 1.0
        model.train()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        model(torch.randn(4, 3, size, size, generator=generator))
    return model.eval()


def ours(name, weights, image):
    """The logits that the command gives."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/image.npy", image)
        subprocess.run(
            [ANEMONE, "run", name, "--weights", weights, "--input", f"image={folder}/image.npy", "--output-dir", folder],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return np.load(f"{folder}/logits.npy"), np.load(f"{folder}/probabilities.npy")


def check(folder):
    failures = 0
    for what, name, size, make, reparameterize in CASES:
        torch.manual_seed(5)
        model = randomize(make(), size)
        image = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(3))
        with torch.no_grad():
            expected = model(image).numpy()
        if reparameterize:
            model = reparameterize_model(model)
        path = f"{folder}/{name}.{what.split(',')[0]}{'.folded' if reparameterize else ''}.safetensors"
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path)
        logits, probabilities = ours(name, path, image.numpy())
        difference = np.abs(logits - expected).max() / (expected.max() - expected.min())
        softmax = torch.softmax(torch.from_numpy(expected), 1).numpy()
        passed = difference <= TOLERANCE and np.abs(probabilities - softmax).max() <= TOLERANCE
        failures += not passed
        print(f"{name:18} {what:22} L-inf / range {difference:.2e}  softmax {np.abs(probabilities - softmax).max():.2e}"
              f"  {'passed' if passed else 'FAILED'}")
    return failures


def golden(folder):
    subprocess.run(
        [ZOO_TESTS, "--gtest_also_run_disabled_tests", "--gtest_filter=ZooExport.*"],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "ANEMONE_EXPORT_DIR": folder},
    )
    arrays = {}
    for what, name, size, make, _ in CASES:
        if what != "timm":
            continue
        model = make().eval()
        missing, unexpected = model.load_state_dict(load_file(f"{folder}/{name}.seed0.safetensors"), strict=False)
        missing = [key for key in missing if "num_batches_tracked" not in key]
        assert not missing and not unexpected, (name, missing, unexpected)
        deviations = []
        for module in model.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.register_forward_hook(lambda m, i, o: deviations.append(o.std().item()))
        with torch.no_grad():
            noise = model(torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(3)))
            spread = f"{min(deviations):.2f} to {max(deviations):.2f}"
            logits = model.double()(torch.from_numpy(pattern(size)).double())[0].numpy()
        print(f"{name}: deviation after batch norms {spread}, of logits {noise.std():.2f}")
        arrays[f"{name}/logits"] = logits[:GOLDEN_COUNT].astype(np.float32)
        arrays[f"{name}/range"] = np.array([logits.min(), logits.max()], np.float32)
        arrays[f"{name}/best"] = np.array([logits.argmax()], np.int32)
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(GOLDEN, "w") as archive:
        for key, array in sorted(arrays.items()):
            out = io.BytesIO()
            np.save(out, array)
            archive.writestr(zipfile.ZipInfo(f"{key}.npy", (2026, 1, 1, 0, 0, 0)), out.getvalue())
    print(GOLDEN, GOLDEN.stat().st_size, "bytes")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--golden", action="store_true")
    parser.add_argument("--folder", help="where the weight files go (a temporary folder by default)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or temporary
        return 1 if (golden if arguments.golden else check)(folder) else 0


if __name__ == "__main__":
    sys.exit(main())
