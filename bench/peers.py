"""Anemone beside its peers, in one run on one machine: latency, load and first inference, memory.

    python bench/peers.py --models DIR [--threads 1 2] [--batch 1 8] [--rounds 7] [--only SUBSTRING] [--json FILE] [--write]

DIR holds .onnx files of fixed shapes whose first dimension is the batch (`python tests/oracle/performance_networks.py DIR`
writes the usual ones). Needs the `anemone` package; a peer that is not installed is named and left out. Peers run interleaved
in rounds, so that changes of the machine's speed affect all equally; only the ratios within one run count. A ratio is the
fastest peer's time through ours, in the same numeric class: above 1, Anemone is faster. --write makes docs/performance.md.

Numeric classes: float32; int8, where Anemone runs its package of 8-bit weights and activations, ONNX Runtime a QDQ network and
OpenVINO one quantized by NNCF, all calibrated on the same inputs; Anemone's float16 package beside its float32 one; and, where
the processor multiplies bfloat16 numbers, Anemone's float32 package with numerics=bfloat16 beside OpenVINO's bf16.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from peer_runners import PEERS

CALIBRATION = 8
# Fastest peer through ours, by the start of a network's name and the numeric class.
GOALS = {
    "float32": {"fastvit_t8": 1.25, "mobilenet_v3_small": 1.4, "resnet50": 1.2, "": 1.0},
    "int8": {"fastvit_t8": 1.4, "mobilenet_v3_small": 1.4, "resnet50": 1.1, "": 1.0},
    "float16": {"": 1.0},
    "bfloat16": {"fastvit_t8": 1.25, "mobilenet_v3_small": 1.3, "": 1.0},
    "load and first inference": {"resnet50": 2.0, "": 3.0},
    "memory": {"": 2.0},
}


def goal(kind, name):
    return next(value for start, value in GOALS[kind].items() if name.startswith(start))


def inputs_of(path, batch, seed):
    """Seeded inputs of the file's declared shapes, with the first dimension `batch`."""
    import onnx

    rng = np.random.default_rng(seed)
    graph = onnx.load(path, load_external_data=False).graph
    constant = {item.name for item in graph.initializer}
    feeds = {}
    for item in graph.input:
        if item.name in constant:
            continue
        kind = item.type.tensor_type
        shape = [dim.dim_value or 1 for dim in kind.shape.dim]
        if shape:
            shape[0] = batch
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        if np.issubdtype(dtype, np.integer):
            feeds[item.name] = rng.integers(0, 2 if "mask" in item.name else 1000, shape).astype(dtype)
        else:
            feeds[item.name] = rng.standard_normal(shape).astype(dtype)
    return feeds


class Subject:
    """A peer with the file that it loads, in one numeric class."""

    def __init__(self, label, peer, path):
        self.label, self.peer, self.path = label, peer, path


def float32_subjects(path):
    subjects = [Subject(peer, peer, path) for peer in ("anemone", "onnxruntime", "openvino", "opencv")]
    exported = path.with_suffix(".pt2")
    if exported.exists():
        subjects.append(Subject("torch", "torch", exported))
    return subjects


def packages(path, folder, calibration):
    """Anemone's float32, float16 and W8A8 packages of a network."""
    import anemone

    shapes = {name: list(value.shape) for name, value in calibration[0].items()}
    samples = folder / "samples"
    samples.mkdir()
    for index, feeds in enumerate(calibration):
        np.savez(samples / f"{index}.npz", **feeds)
    made = {}
    for kind in ("float32", "float16"):
        target = folder / f"{kind}.mlpackage"
        anemone.load(path, input_shapes=shapes).convert(compute_precision=kind).save(target)
        made[kind] = target
    made["int8"] = folder / "int8.mlpackage"
    anemone.load(made["float32"]).compress(mode="activations", calibration=str(samples)).save(made["int8"])
    return made


def quantized_by_onnxruntime(path, folder, calibration):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = iter(calibration)

        def get_next(self):
            return next(self.left, None)

    prepared, target = folder / "prepared.onnx", folder / "qdq.onnx"
    quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
    quantize_static(str(prepared), str(target), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    return target


def quantized_by_nncf(path, folder, calibration):
    import nncf
    import openvino

    model = openvino.Core().read_model(str(path))
    model.reshape({name: list(value.shape) for name, value in calibration[0].items()})
    quantized = nncf.quantize(model, nncf.Dataset(calibration), subset_size=len(calibration))
    target = folder / "nncf.xml"
    openvino.save_model(quantized, str(target))
    return target


def int8_subjects(path, folder, calibration, made, problems):
    subjects = [Subject("anemone", "anemone", made["int8"])]
    for label, make in (("onnxruntime", quantized_by_onnxruntime), ("openvino", quantized_by_nncf)):
        try:
            subjects.append(Subject(label, label, make(path, folder, calibration)))
        except Exception as error:  # noqa: BLE001: whatever a peer raises is its result
            problems.append(f"{path.stem}, int8, {label}: {type(error).__name__}: {str(error).splitlines()[0][:120]}")
    return subjects


def latencies(subjects, feeds, threads, rounds, what, problems):
    """Label -> all times in ms; and label -> largest difference from the first peer, of the outputs' range."""
    runners, drift, want = {}, {}, None
    for subject in subjects:
        try:
            runner = PEERS[subject.peer](subject.path, threads, feeds)
            got = [np.asarray(value, dtype=np.float64) for value in runner.run(feeds)]
        except Exception as error:  # noqa: BLE001
            problems.append(f"{what}, {subject.label}: {type(error).__name__}: {str(error).splitlines()[0][:120]}")
            continue
        if want is None:
            want = sorted(got, key=lambda value: (value.shape, float(value.ravel()[0]) if value.size else 0.0))
        else:
            got = sorted(got, key=lambda value: (value.shape, float(value.ravel()[0]) if value.size else 0.0))
            spans = [float(np.ptp(value)) or 1.0 for value in want]
            drift[subject.label] = max(float(np.abs(a.reshape(b.shape) - b).max()) / span
                                       for a, b, span in zip(got, want, spans, strict=True))
        runners[subject.label] = runner
    for runner in runners.values():
        for _ in range(3):
            runner.run(feeds)
    begin = time.perf_counter()
    next(iter(runners.values())).run(feeds)
    block = max(3, min(200, int(0.25 / max(1e-4, time.perf_counter() - begin))))
    samples = {label: [] for label in runners}
    for index in range(rounds):
        order = list(runners) if index % 2 == 0 else list(runners)[::-1]
        for label in order:
            for _ in range(block):
                begin = time.perf_counter_ns()
                runners[label].run(feeds)
                samples[label].append((time.perf_counter_ns() - begin) / 1e6)
    return samples, drift


def fresh_process(subject, feeds_path, threads):
    command = [sys.executable, str(Path(__file__).with_name("peer_runners.py")), subject.peer, str(subject.path),
               str(threads), str(feeds_path)]
    runs = []
    for _ in range(3):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            return None
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return {"load_and_first_ms": min(one["load_ms"] + one["first_ms"] for one in runs),
            "added_mb": min(one["added_mb"] for one in runs)}


def row_of(kind, name, batch, threads, samples, drift):
    times = {label: {"min_ms": min(values), "median_ms": statistics.median(values),
                     "spread": (np.quantile(values, 0.9) - min(values)) / min(values)} for label, values in samples.items()}
    ours = times.get("anemone")
    others = {label: value for label, value in times.items() if label != "anemone"}
    row = {"kind": kind, "network": name, "batch": batch, "threads": threads, "times": times, "differs_of_range": drift}
    if ours and others:
        fastest = min(others, key=lambda label: others[label]["min_ms"])
        ratio = others[fastest]["min_ms"] / ours["min_ms"]
        row.update(fastest=fastest, ratio=ratio,
                   ratio_of_medians=min(value["median_ms"] for value in others.values()) / ours["median_ms"],
                   goal=goal(kind, name), goals_met=bool(ratio >= goal(kind, name)))
    return row


def once_row(kind, name, threads, values):
    """Of what is measured once for a process: load and first inference, memory."""
    ours = values.get("anemone")
    others = {label: value for label, value in values.items() if label != "anemone"}
    row = {"kind": kind, "network": name, "batch": 1, "threads": threads, "values": values}
    if ours and others:
        fastest = min(others, key=others.get)
        ratio = others[fastest] / ours
        row.update(fastest=fastest, ratio=ratio, goal=goal(kind, name), goals_met=bool(ratio >= goal(kind, name)))
    return row


def measure(path, arguments, document):
    problems = document["problems"]
    for batch in arguments.batch:
        feeds = inputs_of(path, batch, 0)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            calibration = [inputs_of(path, batch, seed) for seed in range(1, CALIBRATION + 1)]
            made = packages(path, folder, calibration)
            classes = {"float32": float32_subjects(path),
                       "int8": int8_subjects(path, folder, calibration, made, problems),
                       "float16": [Subject("anemone", "anemone", made["float16"]),
                                   Subject("anemone float32", "anemone", made["float32"])]}
            if "avx512_bf16" in document["machine"]["instruction_sets"]:
                classes["bfloat16"] = [Subject("anemone", "anemone_bfloat16", made["float32"]),
                                       Subject("openvino", "openvino_bfloat16", path)]
            for threads in arguments.threads:
                for kind, subjects in classes.items():
                    what = f"{path.stem}, {kind}, batch {batch}"
                    row = row_of(kind, path.stem, batch, threads,
                                 *latencies(subjects, feeds, threads, arguments.rounds, what, problems))
                    document["rows"].append(row)
                    report(row)
            if batch == 1:
                feeds_path = folder / "feeds.npz"
                np.savez(feeds_path, **feeds)
                once = {subject.label: fresh_process(subject, feeds_path, max(arguments.threads))
                        for subject in classes["float32"]}
                for kind, key in (("load and first inference", "load_and_first_ms"), ("memory", "added_mb")):
                    row = once_row(kind, path.stem, max(arguments.threads),
                                   {label: value[key] for label, value in once.items() if value})
                    document["rows"].append(row)
                    report(row)


def report(row):
    values = row.get("values") or {label: time["min_ms"] for label, time in row["times"].items()}
    unit = "MB" if row["kind"] == "memory" else "ms"
    text = ", ".join(f"{label} {value:.2f}" for label, value in values.items())
    ratio = f"ratio {row['ratio']:.2f} (goal {row['goal']})" if "ratio" in row else "no peer"
    print(f"{row['network']:28} {row['kind']:24} batch {row['batch']} threads {row['threads']}: {text} {unit}; {ratio}",
          flush=True)


def versions():
    import anemone

    found = {"anemone": anemone.__version__}
    for package in ("onnxruntime", "openvino", "nncf", "torch", "opencv-python-headless"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def machine():
    with open("/proc/cpuinfo") as info:
        lines = info.read().splitlines()
    name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    flags = next(line.split(":")[1].split() for line in lines if line.startswith("flags"))
    wanted = ("avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8")
    return {"processor": name, "instruction_sets": [flag for flag in wanted if flag in flags],
            "cores": os.cpu_count(), "load_before": os.getloadavg()[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="folder of .onnx files")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="substring of the file names to take")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    arguments = parser.parse_args()
    document = {"schema": "anemone.peers", "schema_version": 2, "date": datetime.date.today().isoformat(),
                "machine": machine(), "versions": versions(), "rows": [],
                "problems": ["ncnn: it reads no ONNX file"]}
    for path in sorted(arguments.models.glob("*.onnx")):
        if arguments.only in path.name:
            measure(path, arguments, document)
    for problem in document["problems"]:
        print(f"NOT MEASURED: {problem}", file=sys.stderr)
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")
    if arguments.write:
        from performance_page import page

        Path(__file__).parents[1].joinpath("docs/performance.md").write_text(page(document))


if __name__ == "__main__":
    main()
