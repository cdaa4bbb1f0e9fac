"""How clean our graphs are beside coremltools': MIL operators, constants not counted, of the same PyTorch networks.

    python3 tests/oracle/graph_cleanliness.py --work FOLDER                # a table
    python3 tests/oracle/graph_cleanliness.py --work FOLDER --document docs/graph-cleanliness.md
    python3 tests/oracle/graph_cleanliness.py --work FOLDER --only swin_t --operators   # where the two differ

The Python has torch 2.7, torchvision, timm, onnx, onnxscript, onnxruntime and coremltools 9. Each network of clean_networks.py
goes two ways for each target: PyTorch's exporters to ONNX and `anemone convert`; and coremltools' conversion of the traced
module. Both compute in float32. Ours is run on seeded inputs and compared with PyTorch. FOLDER keeps what does not depend on
Anemone: the ONNX files, PyTorch's outputs and coremltools' counts. ORACLE_ANEMONE names the command (default
build/bin/anemone). The exit status is the number of rows with more operators than coremltools, or with other values.
"""

import argparse
import collections
import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
ANEMONE = os.environ.get("ORACLE_ANEMONE", str(ROOT / "build/bin/anemone"))
TARGETS = ("iOS15", "iOS18")
EXPORTERS = {"script": "TorchScript", "dynamo": "torch.export"}
TOLERANCE = 1e-4
MORE = """Where ours has more: coremltools writes the rolls of shifted windows (`swinv2_cr`) as `gather`, ours as `split` and `concat`; Core ML has
PyTorch's GRU from iOS18 on, and before that ours writes out up to 32 steps where coremltools writes a `while_loop`; `convnext` keeps a reshape
around the norm of its head."""


# ---- counting


def census(package) -> collections.Counter:
    """Operators by type in the main function of a package, nested blocks included, without `const`."""
    from coremltools.proto import Model_pb2

    spec = Model_pb2.Model()
    spec.ParseFromString((pathlib.Path(package) / "Data/com.apple.CoreML/model.mlmodel").read_bytes())
    counts = collections.Counter()

    def visit(block):
        for operation in block.operations:
            if operation.type != "const":
                counts[operation.type] += 1
            for inner in operation.blocks:
                visit(inner)

    for block in spec.mlProgram.functions["main"].block_specializations.values():
        visit(block)
    return counts


# ---- their way


def export(network, exporter, path):
    import torch

    from clean_networks import example, prepared

    model, values = prepared(network), example(network)
    names = list(values)
    with torch.no_grad():
        wanted = model(*values.values())
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        if exporter == "dynamo":
            torch.onnx.export(model, tuple(values.values()), path, input_names=names, dynamo=True, verbose=False)
        else:
            torch.onnx.export(model, tuple(values.values()), path, input_names=names, dynamo=False, opset_version=17)
    arrays = {"in." + name: value.numpy() for name, value in values.items()}
    arrays.update({f"out.{i}": value.numpy() for i, value in enumerate(wanted)})
    np.savez(path.with_suffix(".npz"), **arrays)


def their_census(network, target):
    import coremltools as ct
    import torch

    from clean_networks import example, prepared

    model, values = prepared(network), example(network)
    with torch.no_grad():
        traced = torch.jit.trace(model, tuple(values.values()))
    inputs = [ct.TensorType(name=name, shape=tuple(value.shape),
                            dtype=np.float32 if value.is_floating_point() else np.int32) for name, value in values.items()]
    package = ct.convert(traced, inputs=inputs, minimum_deployment_target=getattr(ct.target, target),
                         compute_precision=ct.precision.FLOAT32, compute_units=ct.ComputeUnit.CPU_ONLY,
                         skip_model_load=True)
    with tempfile.TemporaryDirectory() as folder:
        package.save(folder + "/theirs.mlpackage")
        return census(folder + "/theirs.mlpackage")


# ---- our way


def anemone(*arguments):
    done = subprocess.run([ANEMONE, "-q", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"status {done.returncode}")


def difference(package, arrays, folder):
    """The largest difference of any output to PyTorch's, by the output's range."""
    inputs = []
    for name, value in arrays.items():
        if name.startswith("in."):
            path = folder / f"{name}.npy"
            np.save(path, value.astype(np.int32) if value.dtype == np.int64 else value)
            inputs += ["--input", f"{name[3:]}={path}"]
    anemone("run", package, *inputs, "--output-dir", folder)
    listed = json.loads(subprocess.run([ANEMONE, "--json", "inspect", package], capture_output=True, text=True,
                                       check=True).stdout)
    worst = 0.0
    for i, output in enumerate(listed["outputs"]):
        wanted = arrays[f"out.{i}"].astype(np.float64)
        found = np.load(folder / f"{output['name']}.npy").astype(np.float64)
        if found.shape != wanted.shape:
            raise RuntimeError(f"shape {found.shape} for {wanted.shape}")
        worst = max(worst, float(np.abs(found - wanted).max() / max(np.ptp(wanted), 1e-3)))
    return worst


def ours(model, target):
    arrays = np.load(model.with_suffix(".npz"))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        package = folder / "ours.mlpackage"
        anemone("convert", model, "-o", package, "--minimum-deployment-target", target)
        return census(package), difference(package, arrays, folder)


# ---- the table


class Row:
    def __init__(self, network):
        self.network = network
        self.theirs, self.counts, self.worst, self.problems = {}, {}, 0.0, []

    @property
    def failures(self):
        more = sum(count.total() > self.theirs[target].total() for (_, target), count in self.counts.items()
                   if self.theirs.get(target))
        return more + len(self.problems) + (self.worst > TOLERANCE)


def kept_export(network, exporter, work):
    path = work / f"{network.name}.{exporter}.onnx"
    refused = work / f"{network.name}.{exporter}.refused"
    if refused.exists():
        return None
    if not path.with_suffix(".npz").exists():
        try:
            export(network, exporter, path)
        except Exception as error:  # an exporter's own limits are not ours
            refused.write_text(f"{type(error).__name__}: {error}"[:2000])
            return None
    return path


def kept_census(network, target, work):
    path = work / f"{network.name}.{target}.json"
    if not path.exists():
        try:
            path.write_text(json.dumps(their_census(network, target)))
        except Exception as error:  # coremltools does not convert it
            path.write_text(json.dumps(None))
            path.with_suffix(".refused").write_text(f"{type(error).__name__}: {error}"[:2000])
    held = json.loads(path.read_text())
    return None if held is None else collections.Counter(held)


def measured(network, work, targets, exporters):
    row = Row(network)
    for target in targets:
        row.theirs[target] = kept_census(network, target, work)
    for exporter in exporters:
        model = kept_export(network, exporter, work)
        for target in targets if model else ():
            try:
                row.counts[exporter, target], worst = ours(model, target)
                row.worst = max(row.worst, worst)
            except RuntimeError as error:
                row.problems.append(f"{exporter} {target}: {error}")
    return row


def cell(row, exporter, target):
    count, theirs = row.counts.get((exporter, target)), row.theirs.get(target)
    if count is None:
        return "–"
    text = str(count.total())
    return f"**{text}**" if theirs and count.total() > theirs.total() else text


def table(rows, exporters):
    head = ["network", "from"]
    for target in TARGETS:
        head += [f"coremltools {target}", *(f"Anemone {target}, {EXPORTERS[name]}" for name in exporters)]
    head.append("largest difference")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [row.network.name, row.network.source]
        for target in TARGETS:
            theirs = row.theirs.get(target)
            cells += [str(theirs.total()) if theirs else "refused", *(cell(row, name, target) for name in exporters)]
        lines.append("| " + " | ".join([*cells, f"{row.worst:.1e}"]) + " |")
    return lines


def document(rows, exporters):
    import coremltools
    import onnx
    import timm
    import torch
    import torchvision

    more = sum(bool(row.failures) for row in rows)
    pairs = [(count.total(), row.theirs[target].total()) for row in rows for (_, target), count in row.counts.items()
             if row.theirs.get(target)]
    fewer, same = sum(a < b for a, b in pairs), sum(a == b for a, b in pairs)
    return "\n".join([
        "# How clean the graphs are", "",
        f"{len(rows)} PyTorch networks with seeded weights, each converted two ways in float32: exported to ONNX by PyTorch and converted", "by `anemone convert`, and traced and converted by coremltools. The table counts the MIL operators of the "
        "main function, constants not", "counted. A number in bold is larger than coremltools'; – is a network that the exporter does not "
        "take. The largest difference is that of", "our outputs, run by Anemone's executor, to PyTorch's, relative to the range of the output; "
        f"{TOLERANCE:g} is allowed.", "",
        f"Of {len(pairs)} conversions, ours has fewer operators in {fewer}, as many in {same}, more in {len(pairs) - fewer - same}; "
        f"{more} networks have a row with more operators or", "another value.", "",
        MORE, "",
        f"Written by `tests/oracle/graph_cleanliness.py --document` with torch {torch.__version__.split('+')[0]}, torchvision "
        f"{torchvision.__version__.split('+')[0]}, timm {timm.__version__}, onnx {onnx.__version__},",
        f"coremltools {coremltools.__version__}.", "", *table(rows, exporters), ""])


def show_operators(row):
    for (exporter, target), count in row.counts.items():
        theirs = row.theirs.get(target) or {}
        print(f"  {exporter} {target}:", ", ".join(
            f"{name} {theirs.get(name, 0)}->{count.get(name, 0)}" for name in sorted({*count, *theirs})
            if count.get(name, 0) != theirs.get(name, 0)) or "the same operators")


def quiet_parser(description):
    """The arguments of a script that compares with coremltools, whose bars and warnings it turns off."""
    sys.stdout.reconfigure(line_buffering=True)
    os.environ["TQDM_DISABLE"] = "1"  # coremltools' bars
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], help="networks whose name begins so")
    parser.add_argument("--document", type=pathlib.Path, help="write the table there")
    return parser


def main():
    parser = quiet_parser(__doc__)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="keeps exports and coremltools' counts")
    parser.add_argument("--target", action="append", choices=TARGETS, default=[])
    parser.add_argument("--exporter", action="append", choices=EXPORTERS, default=[])
    parser.add_argument("--operators", action="store_true", help="list the operators of which the two have other numbers")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    from clean_networks import NETWORKS

    rows, exporters = [], options.exporter or list(EXPORTERS)
    for network in NETWORKS:
        if options.only and not network.name.startswith(tuple(options.only)):
            continue
        row = measured(network, options.work, options.target or TARGETS, exporters)
        rows.append(row)
        print("  ".join([f"{network.name:30}", *(
            f"{target}: {row.theirs[target].total() if row.theirs[target] else 'refused'} -> "
            + " ".join(cell(row, name, target) for name in exporters) for target in row.theirs), f"{row.worst:.1e}"]))
        for problem in row.problems:
            print("  " + problem[:400])
        if options.operators:
            show_operators(row)
    if options.document:
        options.document.write_text(document(rows, exporters))
    return sum(bool(row.failures) for row in rows)


if __name__ == "__main__":
    sys.exit(main())
