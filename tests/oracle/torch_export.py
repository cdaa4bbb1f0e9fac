"""Exports operators and networks with torch.export, runs the .pt2 with Anemone, and compares with PyTorch.

    ./dev oracle torch_export                 operators and awkward modules
    ./dev oracle torch_export --networks      torchvision and timm with random weights as well
    ./dev oracle torch_export --only conv     what has this in its name

The Python is ORACLE_PYTHON and has torch, and for --networks torchvision and timm. The bound is on the largest
difference, relative to the range of the reference (fp32: 1e-4).
"""

import argparse
import copy
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
import torch_networks

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = os.environ.get("ANEMONE", str(ROOT / "build" / "release" / "anemone"))
BOUND = 1e-4
TARGETS = set()  # of the program that was compared last


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
    scale = np.abs(expected[finite]).max() or 1.0
    return float(np.abs(expected[finite] - actual[finite]).max() / scale)


def run(model, names, inputs, folder):
    arguments = [COMMAND, "run", str(model), "--output-dir", str(folder / "out")]
    for name, value in zip(names, inputs):
        array = value.detach().cpu()
        array = array.float().numpy() if array.dtype in (torch.bfloat16, torch.float16, torch.float64) else array.numpy()
        if array.dtype == np.bool_ or (array.dtype.kind in "iu" and array.dtype != np.int32):
            array = array.astype(np.int32)
        np.save(folder / f"{name}.npy", array.reshape(array.shape or (1,)))
        arguments += ["--input", f"{name}={folder / (name + '.npy')}"]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=300)


def target_of(function):
    """As the file writes it, of in-place operators without the underscore."""
    if getattr(function, "__module__", "") == "_operator":
        return f"_operator.{function.__name__}"
    text = str(function)
    return text if "__" in text else re.sub(r"_(\.\w+)$", r"\1", text)


def convert(model, folder, extra):
    """The package with options of the conversion, or the text of what went wrong and the outcome."""
    package = folder / "m.mlpackage"
    command = [COMMAND, "convert", str(model), "-o", str(package), *extra]
    made = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if made.returncode == 0:
        return package, "", ""
    return None, "refused" if made.returncode == 3 else "failed", made.stderr.replace(str(folder), "")


def compare(model, module, program, inputs, folder):
    """(outcome, difference or text) of one run."""
    copies = [each.clone() if isinstance(each, torch.Tensor) else each for each in inputs]
    expected = flat(module(*copies))
    specs = program.graph_signature
    tensors = [
        spec.arg.name
        for spec in specs.input_specs
        if spec.kind.name == "USER_INPUT" and type(spec.arg).__name__ in ("TensorArgument", "SymIntArgument")
    ]
    values = [
        torch.tensor([each]) if isinstance(each, int) else each
        for each in torch.utils._pytree.tree_flatten(inputs)[0]
        if isinstance(each, torch.Tensor) or isinstance(each, int) and len(tensors) > len(flat(inputs))
    ]
    done = run(model, tensors, values, folder)
    if done.returncode != 0:
        text = (done.stderr + done.stdout).strip().replace(str(folder), "")
        return ("refused" if done.returncode == 3 else "failed"), text
    outputs = [
        spec.arg.name
        for spec in specs.output_specs
        if spec.kind.name == "USER_OUTPUT" and type(spec.arg).__name__ == "TensorArgument"
    ]
    worst = 0.0
    used = set(tensors)
    for output, reference in zip(outputs, expected):
        while output in used:
            output += "_out"
        used.add(output)
        path = folder / "out" / f"{re.sub('[^A-Za-z0-9_]', '_', output)}.npy"
        if not path.exists():
            return "wrong", f"no output {output}: {sorted(p.name for p in (folder / 'out').iterdir())}"
        reference = reference.detach()
        reference = reference.float() if reference.is_floating_point() else reference
        found = difference(reference.numpy(), np.load(path))
        if isinstance(found, str):
            return "wrong", f"{output}: {found}"
        worst = max(worst, found)
    return "ok", worst


def own_error(module, inputs):
    """How far PyTorch's own float32 is from float64, in the range of the outputs."""
    wide = [each.double() if isinstance(each, torch.Tensor) and each.is_floating_point() else each for each in inputs]
    try:
        plain = flat(module(*inputs))
        precise = flat(copy.deepcopy(module).double()(*wide))
    except Exception:  # a module that makes float32 tensors itself
        return 0.0
    found = [difference(b.numpy(), a.numpy()) for a, b in zip(plain, precise)]
    return max((each for each in found if isinstance(each, float)), default=0.0)


def check(module, inputs, dynamic=None, extra=(), bound=BOUND, others=()):
    """(outcome, difference or text, seconds of the conversion and run); `others` are inputs of other sizes."""
    module = module.eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch._dynamo.reset()  # else it gives up after some modules
        try:
            program = torch.export.export(module, inputs, dynamic_shapes=dynamic)
        except Exception as error:  # what torch.export cannot take is not ours
            return "not exported", str(error).splitlines()[0][:120], 0.0
        TARGETS.clear()
        TARGETS.update(target_of(node.target) for node in program.graph.nodes if node.op == "call_function")
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            model = folder / "model.pt2"
            # Before the reference is computed: it may change buffers.
            torch.export.save(program, model)
            start = time.monotonic()
            if extra:
                model, outcome, text = convert(model, folder, extra)
                if model is None:
                    return outcome, text, 0.0
            outcome, found = compare(model, module, program, inputs, folder)
            seconds = time.monotonic() - start
            for each in others:
                if outcome != "ok":
                    break
                outcome, again = compare(model, module, program, each, folder)
                found = max(found, again) if outcome == "ok" else f"at other sizes: {again}"
        if outcome == "ok" and found > bound:
            error = own_error(module, inputs)
            if found <= bound + 2 * error:
                return "unstable", f"{found:.1e}, and PyTorch's own float32 is {error:.1e} from float64", seconds
            outcome = "wrong"
    return outcome, found, seconds


def rows_of_the_code():
    """(target, refusal or "", family) of every row in src/ops/*/torch.cc."""
    rows = []
    for source in sorted((ROOT / "src" / "ops").glob("*/torch.cc")):
        text = source.read_text()
        texts = dict(re.findall(r'constexpr std::string_view (k\w+) =\s*"([^"]*)"', text))
        for target, rest in re.findall(r'\{\.target = "([^"]+)",(.*?)\},?\n', text, re.S):
            refusal = re.search(r'\.refusal =\s*(?:"([^"]*)"|(k\w+))', rest)
            reason = "" if refusal is None else refusal.group(1) or texts[refusal.group(2)]
            rows.append((target, reason, source.parent.name))
    return sorted(rows)


def document(counts, networks):
    """docs/torch-coverage.md."""
    rows = rows_of_the_code()
    done = [row for row in rows if not row[1]]
    lines = [
        "# PyTorch coverage",
        "",
        "The ATen operators that a file of `torch.export.save` (.pt2) may hold, and what becomes of them. This file is",
        "written by `tests/oracle/torch_export.py --write` from the tables in `src/ops/*/torch.cc`. In-place forms",
        "(`aten.add_.Tensor`) are those of the operator without the underscore.",
        "",
        f"{len(done)} operators are converted, {len(rows) - len(done)} are refused with a reason of their own; every other one is",
        "refused by name, with module and source line. `compared` says in how many exported modules of the oracle",
        f"(torch {torch.__version__.split('+')[0]}) the operator stood whose outputs agreed with PyTorch's within 1e-4 of their range;",
        "0: converted, but no module of the oracle has it.",
        "",
        "| operator | family | compared |",
        "|---|---|---|",
    ]
    lines += [f"| `{target}` | {family} | {counts.get(target, 0)} |" for target, _, family in done]
    lines += ["", "## Refused", "", "| operator | reason |", "|---|---|"]
    lines += [f"| `{target}` | {reason} |" for target, reason, _ in rows if reason]
    lines += [
        "",
        "## Networks",
        "",
        "Random weights, float32: the largest difference from PyTorch, relative to the range of the output.",
        "",
        "| network | outcome | difference |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {outcome} | {found} |" for name, outcome, found in networks]
    (ROOT / "docs" / "torch-coverage.md").write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--networks-only", action="store_true", help="the networks alone")
    parser.add_argument("--skip", type=int, default=0, help="networks to leave out, counted from the first")
    parser.add_argument("--float16", action="store_true", help="convert networks to float16, bound 1e-2")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--write", action="store_true", help="write docs/torch-coverage.md (with --networks)")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no further network after so many")
    options = parser.parse_args()
    compared, networks = {}, []
    began = time.monotonic()
    cases = [] if options.networks_only else torch_cases.operators()
    if options.networks or options.networks_only:
        cases += torch_networks.networks()[options.skip :]
    counts = {}
    print(f"torch {torch.__version__}, bound {BOUND} of range")
    for case in cases:
        if options.only and options.only not in case.name:
            continue
        if case.network and time.monotonic() - began > 60 * options.minutes:
            continue
        torch.manual_seed(0)
        try:
            module, inputs = case.make()
        except Exception as error:
            outcome, found, seconds = "not made", repr(error)[:120], 0.0
        else:
            half = case.network and options.float16
            extra = (*case.extra, "--compute-precision", "float16") if half else case.extra
            outcome, found, seconds = check(module, inputs, case.dynamic, extra, 1e-2 if half else case.bound, case.others)
        counts[outcome] = counts.get(outcome, 0) + 1
        if outcome == "ok":
            for target in TARGETS:
                compared[target] = compared.get(target, 0) + 1
        if case.network:
            text = f"{found:.1e}" if isinstance(found, float) else str(found).strip().split("\n")[-1].strip()
            text = re.sub(r" at \S+\.py:\d+", "", text)[:160]  # a place in somebody's checkout says nothing here
            networks.append((case.name, outcome, text))
        if outcome != "ok" or options.verbose or case.network:
            text = f"{found:.1e}" if isinstance(found, float) else str(found).replace("\n", " ")[:400]
            print(f"{outcome:13}{case.name:34}{seconds:6.2f} s  {text}", flush=True)
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())))
    if options.write:
        document(compared, networks)
    return 0 if set(counts) <= {"ok", "not exported", "not made", "unstable"} else 1


if __name__ == "__main__":
    sys.exit(main())
