"""Anemone compared with its peers, in one run on one machine: inference latency and conversion time.

    python bench/peers.py --models DIR [--threads 2] [--rounds 5] [--only SUBSTRING] [--json FILE]

DIR holds .onnx files (`./dev oracle` writes the usual ones). Needs the `anemone` package, onnxruntime, and, where they are
installed, openvino, and torch + timm + torchvision + coremltools for the conversion times. Peers run interleaved in rounds,
so that changes of the machine's speed affect all equally; only the ratio within one run counts, never a time by itself.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Some images force an old instruction set on NumPy's BLAS.
os.environ.pop("OPENBLAS_CORETYPE", None)

import numpy as np


def inputs_of(session):
    rng = np.random.default_rng(0)
    feeds = {}
    for item in session.get_inputs():
        shape = [size if isinstance(size, int) and size > 0 else 1 for size in item.shape]
        feeds[item.name] = rng.standard_normal(shape).astype(np.float32)
    return feeds


def runners(path, threads):
    """Name -> function that runs one inference and returns the first output."""
    import onnxruntime

    import anemone

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feeds = inputs_of(session)
    first = session.get_outputs()[0].name
    result = {"onnxruntime": lambda: session.run([first], feeds)[0]}

    shapes = {name: list(value.shape) for name, value in feeds.items()}
    model = anemone.load(path, threads=threads, input_shapes=shapes).convert()
    result["anemone"] = lambda: model.predict(feeds)[first]

    try:
        import openvino

        compiled = openvino.Core().compile_model(str(path), "CPU", {
            "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
        request = compiled.create_infer_request()
        result["openvino"] = lambda: request.infer(feeds)[compiled.output(0)]
    except ImportError:
        pass
    return result


def measure(path, threads, rounds):
    peers = runners(path, threads)
    want = peers["onnxruntime"]()
    span = float(want.max() - want.min()) or 1.0
    drift = {name: float(np.abs(run() - want).max()) / span for name, run in peers.items()}
    for run in peers.values():
        for _ in range(5):
            run()
    begin = time.perf_counter()
    peers["onnxruntime"]()
    block = max(3, int(0.5 / max(1e-4, time.perf_counter() - begin)))
    samples = {name: [] for name in peers}
    for round_index in range(rounds):
        order = list(peers) if round_index % 2 == 0 else list(peers)[::-1]
        for name in order:
            for _ in range(block):
                begin = time.perf_counter_ns()
                peers[name]()
                samples[name].append(time.perf_counter_ns() - begin)
    medians = {name: statistics.median(values) for name, values in samples.items()}
    return {"model": path.name, "median_ns": medians, "drift_of_range": drift,
            "ratio_to_onnxruntime": {name: medians[name] / medians["onnxruntime"] for name in medians}}


def traced_networks():
    """The three catalog networks as TorchScript, and the ONNX files of the same networks."""
    import timm
    import torch
    import torchvision
    from timm.utils.model import reparameterize_model

    torch.manual_seed(0)
    makers = {
        "mobilenetv3_small": (torchvision.models.mobilenet_v3_small, 224, "tv_mobilenet_v3_small.op17.onnx"),
        "fastvit_t8": (lambda: reparameterize_model(timm.create_model("fastvit_t8").eval()), 256,
                       "timm_fastvit_t8.op17.onnx"),
        "resnet50": (torchvision.models.resnet50, 224, "tv_resnet50.op17.onnx"),
    }
    for name, (make, size, onnx_name) in makers.items():
        yield name, torch.jit.trace(make().eval(), torch.randn(1, 3, size, size)), size, onnx_name


# What a user of coremltools would run from the shell: the counterpart of `anemone convert`.
COREMLTOOLS_SCRIPT = """
import sys, coremltools, torch
source, target, size, precision = sys.argv[1:]
network = torch.jit.load(source)
coremltools.convert(
    network, inputs=[coremltools.TensorType("image", shape=(1, 3, int(size), int(size)))], convert_to="mlprogram",
    compute_precision=getattr(coremltools.precision, precision), minimum_deployment_target=coremltools.target.iOS17,
    skip_model_load=True).save(target)
"""


def seconds(action):
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def conversions(models, command):
    """From the network's file to a saved package: command against command, and against coremltools' convert and save alone
    (everything imported and the network traced beforehand)."""
    import coremltools
    import torch

    rows = []
    for name, traced, size, onnx_name in traced_networks():
        source = models / onnx_name
        if not source.exists():
            continue
        for precision in ("float32", "float16"):
            with tempfile.TemporaryDirectory() as folder:
                torch.jit.save(traced, f"{folder}/traced.pt")

                def ours():
                    subprocess.run([command, "convert", str(source), "-o", f"{folder}/ours.mlpackage",
                                    "--compute-precision", precision, "-q"], check=True)

                def library():
                    coremltools.convert(
                        traced, inputs=[coremltools.TensorType("image", shape=(1, 3, size, size))],
                        convert_to="mlprogram", compute_precision=getattr(coremltools.precision, precision.upper()),
                        minimum_deployment_target=coremltools.target.iOS17,
                        skip_model_load=True).save(f"{folder}/theirs.mlpackage")

                def script():
                    subprocess.run([sys.executable, "-c", COREMLTOOLS_SCRIPT, f"{folder}/traced.pt",
                                    f"{folder}/theirs.mlpackage", str(size), precision.upper()],
                                   check=True, stderr=subprocess.DEVNULL)

                ours(), library()  # files and modules in memory for both
                rounds = [(seconds(ours), seconds(library), seconds(ours), seconds(script), seconds(ours)) for _ in range(3)]
            mine = statistics.median(time for one in rounds for time in one[::2])
            theirs = statistics.median(one[1] for one in rounds)
            command_time = statistics.median(one[3] for one in rounds)
            rows.append({"model": name, "precision": precision, "anemone_s": mine, "coremltools_s": theirs,
                         "coremltools_command_s": command_time, "times_faster": theirs / mine,
                         "times_faster_command": command_time / mine})
            print(f"convert {name:20} {precision}: anemone {mine:.3f} s; coremltools' convert and save alone {theirs:.2f} s: "
                  f"{theirs / mine:.0f} x; as a command {command_time:.2f} s: {command_time / mine:.0f} x", flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="folder of .onnx files")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="substring of the file names to take")
    parser.add_argument("--command", default="build/bin/anemone")
    parser.add_argument("--skip-conversion", action="store_true")
    parser.add_argument("--skip-inference", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    names = [arguments.only] if arguments.only else ["timm_fastvit_t8.op17.onnx", "tv_mobilenet_v3_small.op17.onnx",
                                                    "tv_resnet50.op17.onnx"]
    document = {"schema": "anemone.peers", "schema_version": 1, "threads": arguments.threads, "inference": [],
                "conversion": []}
    for path in sorted(arguments.models.glob("*.onnx")):
        if arguments.skip_inference or not any(name in path.name for name in names):
            continue
        row = measure(path, arguments.threads, arguments.rounds)
        document["inference"].append(row)
        for name, median in row["median_ns"].items():
            print(f"run {row['model']:32} {name:12} median {median / 1e6:8.3f} ms, {row['ratio_to_onnxruntime'][name]:.2f} x "
                  f"ONNX Runtime, differs by {row['drift_of_range'][name]:.1e} of range", flush=True)
    if not arguments.skip_conversion:
        try:
            document["conversion"] = conversions(arguments.models, arguments.command)
        except ImportError as error:
            print(f"conversion: NOT MEASURED ({error})", file=sys.stderr)
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
