"""Compares imported ONNX models with ONNX Runtime, through the command: `anemone run MODEL.onnx` on seeded inputs.

Needs the oracle environment. Usage: check_onnx.py [--backend cpu|reference] [--target iOS15] FILE.onnx ...
With --target the model goes through a package of that deployment target (convert, then run).
Prints for each file the largest difference relative to the output's range; more than 1e-4 is a failure. Inputs with open
shapes get those of SHAPES. ORACLE_ANEMONE names the command (default build/bin/anemone).
"""

import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime as ort

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ANEMONE = os.environ.get("ORACLE_ANEMONE", os.path.join(ROOT, "build/bin/anemone"))
LIMIT = 1e-4
# Outputs below this are compared as if they ranged to it: runtimes differ in how they approximate exp near 0.
SMALLEST_RANGE = 1e-3
DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64,
          "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_}
# By a part of the file's name: shapes of inputs whose dimensions are open.
SHAPES = {
    "PP-OCRv4_det": {"x": [1, 3, 96, 128]},
    "PP-OCRv4_rec": {"x": [1, 3, 48, 160]},
    "mobile_v2.0_cls": {"x": [1, 3, 48, 192]},
    "super_resolution": {"input": [1, 1, 56, 56]},
    "vit_tiny": {"image": [2, 3, 32, 32]},
    "magika": {"bytes": [1, 2048]},
    "silero_vad_16k_sequence": {"input": [5, 576]},
    "silero": {"input": [1, 576], "state": [2, 1, 128]},
}
VALUES = {"sr": np.array(16000, np.int64)}


def feeds_of(session, path):
    given = next((s for part, s in SHAPES.items() if part in os.path.basename(path)), {})
    rng = np.random.default_rng(0)
    feeds, open_shapes = {}, {}
    for info in session.get_inputs():
        shape = [d if isinstance(d, int) else None for d in info.shape]
        if None in shape:
            shape = given.get(info.name, [1 if d is None else d for d in shape])
            open_shapes[info.name] = shape
        dtype = DTYPES[info.type]
        if info.name in VALUES:
            feeds[info.name] = VALUES[info.name].astype(dtype)
        elif np.issubdtype(dtype, np.floating):
            feeds[info.name] = rng.standard_normal(shape).astype(dtype)
        else:
            feeds[info.name] = rng.integers(0, 5, shape).astype(dtype)
    return feeds, open_shapes


def save(folder, name, array):
    if array.dtype in (np.float16, np.float64):
        array = array.astype(np.float32)
    if array.dtype != np.float32:
        array = array.astype(np.int32)
    path = os.path.join(folder, name + ".npy")
    np.save(path, np.ascontiguousarray(array if array.shape else array.reshape(1)))
    return path


def legal(name):
    """The identifier that the importer makes of a name."""
    text = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)
    return "_" + text if not text or text[0].isdigit() else text


def check(path, backend, target):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feeds, shapes = feeds_of(session, path)
    wanted = session.run(None, feeds)
    with tempfile.TemporaryDirectory() as folder:
        fixed = [f"{name}:{'x'.join(map(str, shape)) or 1}" for name, shape in shapes.items() if shape]
        model = path
        if target:  # through a package of that target, after the passes
            model = folder + "/model.mlpackage"
            command = [ANEMONE, "-q", "convert", path, "-o", model, "--compute-precision", "float32",
                       "--minimum-deployment-target", target]
            for text in fixed:
                command += ["--input", text]
            result = subprocess.run(command, capture_output=True, text=True)
            if result.returncode != 0:
                return None, f"exit {result.returncode}: {result.stderr.strip()}"
            fixed = []
        command = [ANEMONE, "-q", "run", model, "--backend", backend, "--output-dir", folder + "/out"]
        for text in fixed:
            command += ["--input-shape", text]
        for k, (name, array) in enumerate(feeds.items()):
            command += ["--input", f"{legal(name)}={save(folder, f'in{k}', array)}"]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            return None, f"exit {result.returncode}: {result.stderr.strip()}"
        worst = 0.0
        for info, want in zip(session.get_outputs(), wanted):
            got = np.load(f"{folder}/out/{legal(info.name)}.npy").astype(np.float64)
            want = np.atleast_1d(np.asarray(want)).astype(np.float64)
            if got.shape != want.shape:
                return None, f"output {info.name} has shape {got.shape}, wanted {want.shape}"
            scale = max(np.abs(want).max(initial=0), SMALLEST_RANGE)
            worst = max(worst, float(np.abs(got - want).max(initial=0) / scale))
    return worst, ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="cpu")
    parser.add_argument("--target", default="")
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    failures = 0
    for path in args.files:
        worst, problem = check(path, args.backend, args.target)
        good = worst is not None and worst <= LIMIT
        failures += not good
        figure = problem if worst is None else f"{worst:.2e}"
        print(f"{'ok  ' if good else 'FAIL'} {os.path.basename(path):48s} {figure}", flush=True)
    print(f"{len(args.files) - failures} of {len(args.files)} within {LIMIT:g} of ONNX Runtime")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
