"""Converting a PyTorch network beside coremltools, in one run on one machine.

    python bench/conversion.py --models DIR [--command build/bin/anemone] [--json FILE]

DIR holds the .onnx files of the same networks (`./dev oracle` writes them). Needs torch, timm, torchvision and coremltools.
Rounds alternate, so that changes of the machine's speed affect both; only the ratio within one run counts.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


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
    parser.add_argument("--command", default="build/bin/anemone")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    document = {"schema": "anemone.conversion_times", "schema_version": 1,
                "conversion": conversions(arguments.models, arguments.command)}
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
