"""Compression beside coremltools, in one run on one machine: time, and the error of every tensor.

    python bench/compress.py [--anemone build/release/anemone] [--models resnet50,...] [--variants int8,palette4,palette8]
                             [--package FILE.mlpackage] [--compute-precision float16] [--rounds 5] [--keep FOLDER] [--json FILE]

Catalog models are written as float16 (or float32) packages with seeded weights first. Needs coremltools, and scikit-learn, which
coremltools clusters small and float32 tensors with, and for the calls our Python package. Like is compared with like:
  call     a loaded model compressed and the result written, in Python: theirs (which writes its result to a temporary
           package) beside ours
  process  from nothing to a saved package: a script of four lines with coremltools (start, import, load, compress, save)
           beside our command (start, read, compress, write, read back, compare, describe)
Ours is the median of the rounds, theirs one: it is the slow one. In the JSON also: what remains of the call beside our
whole command, and the compression alone as the command reports it. With --keep the packages and coremltools' results
and times stay in the folder, and are found there again: so a run can be cut into pieces.
"""

import argparse
import hashlib
import json
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.pop("OPENBLAS_CORETYPE", None)
logging.disable(logging.WARNING)
warnings.filterwarnings("ignore")

import coremltools as ct
import coremltools.optimize.coreml as cto
import numpy as np

try:
    import anemone
except ImportError:
    anemone = None
from coremltools.converters.mil.frontend.milproto.load import load as load_program

FLAGS = {
    "int8": ["--mode", "linear_symmetric", "--dtype", "int8", "--granularity", "per_channel"],
    "palette4": ["--mode", "palettize", "--nbits", "4"],
    "palette6": ["--mode", "palettize", "--nbits", "6"],
    "palette8": ["--mode", "palettize", "--nbits", "8"],
}


THEIR_SCRIPT = """
import sys
import coremltools as ct, coremltools.optimize.coreml as cto
model = ct.models.MLModel(sys.argv[1], skip_model_load=True)
{call}.save(sys.argv[2])
"""
THEIR_CALLS = {
    "int8": "cto.linear_quantize_weights(model, cto.OptimizationConfig(global_config="
            "cto.OpLinearQuantizerConfig(mode='linear_symmetric', granularity='per_channel')))",
    **{f"palette{n}": "cto.palettize_weights(model, cto.OptimizationConfig(global_config="
                      f"cto.OpPalettizerConfig(mode='kmeans', nbits={n})))" for n in (4, 6, 8)},
}


def theirs(model, source, variant, target):
    """Seconds of coremltools: of the call alone, and of a process that does all; the result lies at `target`."""
    begin = time.perf_counter()
    eval(THEIR_CALLS[variant], {"cto": cto, "model": model})
    call = time.perf_counter() - begin
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", THEIR_SCRIPT.format(call=THEIR_CALLS[variant]), str(source), str(target)],
                   check=True, capture_output=True)
    return {"call_s": call, "process_s": time.perf_counter() - begin}


def theirs_kept(model, source, variant, target):
    """The same for what lies at `target`; made where it is missing or of another source."""
    note = target.with_suffix(".json")
    digest = hashlib.sha256((source / "Manifest.json").read_bytes()).hexdigest()
    if note.exists() and target.exists():
        known = json.loads(note.read_text())
        if known["source"] == digest:
            return known
    seconds = theirs(model, source, variant, target)
    note.write_text(json.dumps({"source": digest, **seconds}))
    return seconds


def ours(command, source, target, variant, rounds):
    wall, inner = [], []
    for _ in range(rounds):
        shutil.rmtree(target, ignore_errors=True)
        begin = time.perf_counter()
        done = subprocess.run([command, "compress", str(source), "-o", str(target), "--json", *FLAGS[variant]],
                              check=True, capture_output=True)
        wall.append(time.perf_counter() - begin)
        inner.append(json.loads(done.stdout)["compress_duration_ns"] * 1e-9)
    return statistics.median(wall), statistics.median(inner)


CALLS = {"int8": {"mode": "linear_symmetric", "dtype": "int8", "granularity": "per_channel"},
         **{f"palette{n}": {"mode": "palettize", "nbits": n} for n in (4, 6, 8)}}


def ours_in_python(source, target, variant, rounds):
    """What their call does: a loaded model compressed, and the result written. None without our Python package."""
    if anemone is None:
        return None
    model = anemone.load(str(source))
    times = []
    for _ in range(rounds):
        shutil.rmtree(target, ignore_errors=True)
        begin = time.perf_counter()
        model.compress(**CALLS[variant]).save(str(target))
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def dense_weights(path):
    """(type of the operator, parameter, place in the program) -> values that it computes with, and whether compressed."""
    model = ct.models.MLModel(str(path), skip_model_load=True)
    spec = model.get_spec()
    program = load_program(spec, specification_version=spec.specificationVersion, file_weights_dir=model.weights_dir)
    found = {}
    for op in program.functions["main"].operations:
        if op.op_type.startswith("const"):
            continue
        for name, var in op.inputs.items():
            if not hasattr(var, "op") or var.op is None:
                continue
            if var.op.op_type.startswith("constexpr_"):
                found[op.op_type, name, len(found)] = (np.asarray(var.op.materialized_val_inference()), True)
            elif var.op.op_type == "const" and isinstance(var.val, np.ndarray) and var.val.ndim > 1:
                found[op.op_type, name, len(found)] = (var.val, False)
    return found


def compare(original, our_path, their_path):
    """Of all tensors that both compressed: how many, and those where our squared error is larger."""
    a, b, c = dense_weights(original), dense_weights(our_path), dense_weights(their_path)
    compared, worse, ratios = 0, [], []
    for key, (value, _) in a.items():
        if key not in b or key not in c or not (b[key][1] and c[key][1]):
            continue
        exact = value.astype(np.float64)
        ours_error = float(((b[key][0].astype(np.float64) - exact) ** 2).sum())
        theirs_error = float(((c[key][0].astype(np.float64) - exact) ** 2).sum())
        compared += 1
        ratios.append(ours_error / theirs_error if theirs_error else 1.0)
        if ours_error > theirs_error * (1 + 1e-9):
            worse.append({"operator": f"{key[0]} {key[2]}", "ours": ours_error, "theirs": theirs_error})
    only = [f"{key[0]} {key[2]}" for key in a if (key in b and b[key][1]) != (key in c and c[key][1])]
    return {"tensors": compared, "worse": worse, "only_one_compressed": only,
            "median_error_ratio": statistics.median(ratios) if ratios else None}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    built = Path(__file__).parent.parent / "build/release/anemone"
    parser.add_argument("--anemone", default=str(built) if built.exists() else "anemone")
    parser.add_argument("--models", default="mobilenetv3_small,fastvit_t8,resnet50")
    parser.add_argument("--package", action="append", default=[])
    parser.add_argument("--variants", default="int8,palette4,palette8")
    parser.add_argument("--compute-precision", default="float16", choices=["float16", "float32"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--json")
    flags = parser.parse_args()
    rows = []
    print(f"{'':35} {'call':^32} {'process':^32}")
    print(f"{'model':25} {'variant':9} {'coremltools':>12} {'anemone':>11} {'ratio':>7} {'coremltools':>12} {'anemone':>11}"
          f" {'ratio':>7} {'tensors':>8} {'worse':>6}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = flags.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        sources = [Path(package) for package in flags.package]
        if not sources:
            for name in flags.models.split(","):
                sources.append(folder / f"{name}_{flags.compute_precision}.mlpackage")
                if sources[-1].exists():
                    continue
                subprocess.run([flags.anemone, "convert", name, "--weights", "seeded", "--compute-precision", flags.compute_precision,
                                "--minimum-deployment-target", "iOS16", "-o", str(sources[-1])], check=True,
                               capture_output=True)
        for source in sources:
            model = ct.models.MLModel(str(source), skip_model_load=True)
            for variant in flags.variants.split(","):
                our_path = Path(scratch) / "ours.mlpackage"
                their_path = folder / f"{source.stem}.{variant}.theirs.mlpackage"
                wall, inner = ours(flags.anemone, source, our_path, variant, flags.rounds)
                call = ours_in_python(source, Path(scratch) / "call.mlpackage", variant, flags.rounds)
                their = theirs_kept(model, source, variant, their_path)
                row = {"model": source.stem, "variant": variant,
                       "coremltools_call_s": their["call_s"], "call_s": call,
                       "call_ratio": their["call_s"] / call if call else None,
                       "coremltools_process_s": their["process_s"], "process_s": wall,
                       "process_ratio": their["process_s"] / wall, "call_over_process_ratio": their["call_s"] / wall,
                       "compression_s": inner, "compression_ratio": their["call_s"] / inner,
                       **compare(source, our_path, their_path)}
                rows.append(row)
                shown = f"{call * 1e3:8.1f} ms {row['call_ratio']:6.0f}x" if call else "not installed"
                print(f"{row['model']:25} {variant:9} {their['call_s']:10.3f} s"
                      f" {shown:>19} {their['process_s']:10.3f} s {wall * 1e3:8.1f} ms"
                      f" {row['process_ratio']:6.0f}x {row['tensors']:8} {len(row['worse']):6}", flush=True)
    if flags.json:
        Path(flags.json).write_text(json.dumps({"schema": "anemone.bench.compress", "schema_version": 2, "rows": rows},
                                               indent=2) + "\n")
    return 1 if any(row["worse"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
