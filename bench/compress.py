"""Compression beside coremltools, in one run on one machine: time, and the error of every tensor.

    python bench/compress.py --anemone build/release/anemone [--models resnet50,...] [--variants int8,palette4,palette8]
                             [--package FILE.mlpackage] [--rounds 5] [--keep FOLDER] [--json FILE]

Catalogue models are written as float16 packages with seeded weights first. Needs coremltools, and scikit-learn, which
coremltools clusters small and float32 tensors with. Times of ours: the whole command (start, read, compress, write, read
back, compare, describe); the call on a loaded model and writing its result, where the Python package is installed; and
the compression alone as the command reports it. Theirs: the call on a loaded model, which writes its result to a
temporary package. Ours is the median of the rounds, theirs one call: it is the slow one. With --keep the packages and
coremltools' results and times stay in the folder, and are found there again: so a run can be cut into pieces.
"""

import argparse
import hashlib
import json
import logging
import os
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
    "int8": ["--mode", "linear", "--dtype", "int8", "--granularity", "per_channel"],
    "palette4": ["--mode", "palettize", "--nbits", "4"],
    "palette6": ["--mode", "palettize", "--nbits", "6"],
    "palette8": ["--mode", "palettize", "--nbits", "8"],
}


def theirs(model, variant):
    if variant == "int8":
        config = cto.OpLinearQuantizerConfig(mode="linear_symmetric", granularity="per_channel")
        function = cto.linear_quantize_weights
    else:
        config = cto.OpPalettizerConfig(mode="kmeans", nbits=int(variant[len("palette"):]))
        function = cto.palettize_weights
    begin = time.perf_counter()
    result = function(model, cto.OptimizationConfig(global_config=config))
    return result, time.perf_counter() - begin


def theirs_kept(model, source, variant, target):
    """Seconds that coremltools took for what lies at `target`; made where it is missing or of another source."""
    note = target.with_suffix(".json")
    digest = hashlib.sha256((source / "Manifest.json").read_bytes()).hexdigest()
    if note.exists() and target.exists():
        known = json.loads(note.read_text())
        if known["source"] == digest:
            return known["seconds"]
    result, seconds = theirs(model, variant)
    result.save(str(target))
    note.write_text(json.dumps({"source": digest, "seconds": seconds}))
    return seconds


def ours(command, source, target, variant, rounds):
    wall, inner = [], []
    for _ in range(rounds):
        begin = time.perf_counter()
        done = subprocess.run([command, "compress", str(source), "-o", str(target), "--json", *FLAGS[variant]],
                              check=True, capture_output=True)
        wall.append(time.perf_counter() - begin)
        inner.append(json.loads(done.stdout)["compress_duration_ns"] * 1e-9)
    return statistics.median(wall), statistics.median(inner)


CALLS = {"int8": {"mode": "linear", "dtype": "int8", "granularity": "per_channel"},
         **{f"palette{n}": {"mode": "palettize", "nbits": n} for n in (4, 6, 8)}}


def ours_in_python(source, target, variant, rounds):
    """What their call does: a loaded model compressed, and the result written. None without our Python package."""
    if anemone is None:
        return None
    model = anemone.load(str(source))
    times = []
    for _ in range(rounds):
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
    parser.add_argument("--anemone", default="anemone")
    parser.add_argument("--models", default="mobilenetv3_small,fastvit_t8,resnet50")
    parser.add_argument("--package", action="append", default=[])
    parser.add_argument("--variants", default="int8,palette4,palette8")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--json")
    flags = parser.parse_args()
    rows = []
    print(f"{'model':20} {'variant':9} {'coremltools':>12} {'command':>10} {'ratio':>7} {'call':>10} {'ratio':>7} {'compression':>12} {'ratio':>7}"
          f" {'tensors':>8} {'worse':>6}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = flags.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        sources = [Path(package) for package in flags.package]
        if not sources:
            for name in flags.models.split(","):
                sources.append(folder / f"{name}.mlpackage")
                if sources[-1].exists():
                    continue
                subprocess.run([flags.anemone, "convert", name, "--weights", "seeded", "--compute-precision", "float16",
                                "--minimum-deployment-target", "iOS16", "-o", str(sources[-1])], check=True,
                               capture_output=True)
        for source in sources:
            model = ct.models.MLModel(str(source), skip_model_load=True)
            for variant in flags.variants.split(","):
                our_path = Path(scratch) / "ours.mlpackage"
                their_path = folder / f"{source.stem}.{variant}.theirs.mlpackage"
                wall, inner = ours(flags.anemone, source, our_path, variant, flags.rounds)
                call = ours_in_python(source, Path(scratch) / "call.mlpackage", variant, flags.rounds)
                their_time = theirs_kept(model, source, variant, their_path)
                row = {"model": source.stem, "variant": variant, "coremltools_s": their_time, "command_s": wall,
                       "call_s": call, "call_ratio": their_time / call if call else None, "compression_s": inner, "command_ratio": their_time / wall,
                       "compression_ratio": their_time / inner, **compare(source, our_path, their_path)}
                rows.append(row)
                print(f"{row['model']:20} {variant:9} {their_time:10.3f} s {wall * 1e3:7.1f} ms {row['command_ratio']:6.0f}x"
                      f" {(call or 0) * 1e3:7.1f} ms {row['call_ratio'] or 0:6.0f}x"
                      f" {inner * 1e3:9.1f} ms {row['compression_ratio']:6.0f}x {row['tensors']:8} {len(row['worse']):6}",
                      flush=True)
    if flags.json:
        Path(flags.json).write_text(json.dumps({"schema": "anemone.bench.compress", "schema_version": 1, "rows": rows},
                                               indent=2) + "\n")
    return 1 if any(row["worse"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
