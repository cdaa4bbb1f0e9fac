"""Exports operators and networks with torch.export, runs the .pt2 with Anemone, and compares with PyTorch.

    ./dev oracle torch_export                 operators and awkward modules
    ./dev oracle torch_export --networks      torchvision and timm with random weights as well
    ./dev oracle torch_export --only conv     what has this in its name

The Python is ORACLE_PYTHON and has torch, and for --networks torchvision and timm. The bound is on the largest
difference, relative to the range of the reference (fp32: 1e-4).
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import torch_cases

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = os.environ.get("ANEMONE", str(ROOT / "build" / "release" / "anemone"))
BOUND = 1e-4


def flat(outputs):
    """The tensors of whatever a module returns, in PyTorch's order."""
    return [each for each in torch.utils._pytree.tree_flatten(outputs)[0] if isinstance(each, torch.Tensor)]


def difference(expected, actual):
    """The largest difference, relative to the range of the finite expected values."""
    expected = np.asarray(expected, np.float64)
    actual = np.asarray(actual, np.float64)
    if expected.shape != actual.shape and not (expected.shape == () and actual.shape == (1,)):
        return f"shape {actual.shape}, expected {expected.shape}"
    actual = actual.reshape(expected.shape)
    if expected.size == 0:
        return 0.0
    if not np.array_equal(np.isnan(expected), np.isnan(actual)):
        return "NaN in other places"
    finite = np.isfinite(expected)
    if not np.array_equal(expected[~finite], actual[~finite], equal_nan=True):
        return "infinities in other places"
    if not finite.any():
        return 0.0
    scale = max(np.abs(expected[finite]).max(), 1e-3)
    return float(np.abs(expected[finite] - actual[finite]).max() / scale)


def run(model, names, inputs, folder, extra):
    arguments = [COMMAND, "run", str(model), "--output-dir", str(folder / "out"), *extra]
    for name, value in zip(names, inputs):
        array = value.detach().cpu()
        array = array.float().numpy() if array.dtype in (torch.bfloat16, torch.float16, torch.float64) else array.numpy()
        if array.dtype == np.bool_ or (array.dtype.kind in "iu" and array.dtype != np.int32):
            array = array.astype(np.int32)
        np.save(folder / f"{name}.npy", array.reshape(array.shape or (1,)))
        arguments += ["--input", f"{name}={folder / (name + '.npy')}"]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=300)


def check(module, inputs, dynamic=None, extra=(), strict=False):
    """(outcome, difference or text, seconds of the conversion and run)."""
    module = module.eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            program = torch.export.export(module, inputs, dynamic_shapes=dynamic, strict=strict)
        except Exception as error:  # what torch.export cannot take is not ours
            return "not exported", str(error).splitlines()[0][:120], 0.0
        copies = [each.clone() if isinstance(each, torch.Tensor) else each for each in inputs]
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            # Before the reference is computed: it may change buffers.
            torch.export.save(program, folder / "model.pt2")
            expected = flat(module(*copies))
            specs = program.graph_signature
            users = [spec for spec in specs.input_specs if spec.kind.name == "USER_INPUT"]
            values = flat(inputs)
            tensors = [spec.arg.name for spec in users if type(spec.arg).__name__ == "TensorArgument"]
            start = time.monotonic()
            done = run(folder / "model.pt2", tensors, values, folder, list(extra))
            seconds = time.monotonic() - start
            if done.returncode != 0:
                text = (done.stderr + done.stdout).strip().replace(name, "")
                return ("refused" if done.returncode == 3 else "failed"), text, seconds
            outputs = [spec.arg.name for spec in specs.output_specs
                       if spec.kind.name == "USER_OUTPUT" and type(spec.arg).__name__ == "TensorArgument"]
            worst = 0.0
            used = set(tensors)
            for output, reference in zip(outputs, expected):
                while output in used:
                    output += "_out"
                used.add(output)
                path = folder / "out" / f"{re.sub('[^A-Za-z0-9_]', '_', output)}.npy"
                if not path.exists():
                    return "wrong", f"no output {output}: {sorted(p.name for p in (folder / 'out').iterdir())}", seconds
                reference = reference.detach()
                reference = reference.float() if reference.is_floating_point() else reference
                found = difference(reference.numpy(), np.load(path))
                if isinstance(found, str):
                    return "wrong", f"{output}: {found}", seconds
                worst = max(worst, found)
    return ("ok" if worst <= BOUND else "wrong"), worst, seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    cases = torch_cases.operators() + (torch_cases.networks() if options.networks else [])
    counts = {}
    print(f"torch {torch.__version__}, bound {BOUND} of range")
    for case in cases:
        if options.only and options.only not in case.name:
            continue
        torch.manual_seed(0)
        try:
            module, inputs = case.make()
        except Exception as error:
            outcome, found, seconds = "not made", repr(error)[:120], 0.0
        else:
            outcome, found, seconds = check(module, inputs, case.dynamic, case.extra)
        counts[outcome] = counts.get(outcome, 0) + 1
        if outcome != "ok" or options.verbose or case.network:
            text = f"{found:.1e}" if isinstance(found, float) else str(found).replace("\n", " ")[:400]
            print(f"{outcome:13}{case.name:34}{seconds:6.2f} s  {text}", flush=True)
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())))
    return 0 if set(counts) <= {"ok", "not exported", "not made"} else 1


if __name__ == "__main__":
    sys.exit(main())
