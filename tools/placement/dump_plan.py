"""Dumps Core ML's own plan of a model as JSON that `anemone placement score` reads. Runs on a Mac (macOS 14.4) with coremltools 8 or later.

Loading a plan compiles the model for the Neural Engine: large kernels take minutes and gigabytes.
Usage: dump_plan.py MODEL.mlpackage|MODEL.mlmodelc [--compute-units cpu_and_ne] [--function main] > plan.json
"""

import argparse
import json
import platform
import subprocess
import sys

UNITS = {"MLNeuralEngineComputeDevice": "ane", "MLGPUComputeDevice": "gpu", "MLCPUComputeDevice": "cpu"}


def unit(device):
    return None if device is None else UNITS.get(type(device).__name__, type(device).__name__)


def operations(plan, block):
    for operation in block.operations:
        usage = plan.get_compute_device_usage_for_mlprogram_operation(operation)
        cost = plan.get_estimated_cost_for_mlprogram_operation(operation)
        yield {"name": operation.outputs[0].name if operation.outputs else operation.operator_name,
               "type": operation.operator_name,
               "preferred": None if usage is None else unit(usage.preferred_compute_device),
               "supported": [] if usage is None else [unit(device) for device in usage.supported_compute_devices],
               "cost": None if cost is None else cost.weight}
        for inner in operation.blocks:
            yield from operations(plan, inner)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--compute-units", default="cpu_and_ne", choices=["all", "cpu_and_ne", "cpu_and_gpu", "cpu_only"])
    parser.add_argument("--function", default="main")
    arguments = parser.parse_args()
    if platform.system() != "Darwin":
        sys.exit("MLComputePlan exists on macOS only")
    import coremltools
    from coremltools.models.compute_plan import MLComputePlan
    path = arguments.model
    if not path.endswith(".mlmodelc"):
        path = coremltools.models.utils.compile_model(path)
    plan = MLComputePlan.load_from_path(path=path, compute_units=coremltools.ComputeUnit[arguments.compute_units.upper()])
    program = plan.model_structure.program
    if program is None:
        sys.exit("only ML Programs have operations with plans of this form")
    chip = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True).stdout.strip()
    json.dump({"schema": "anemone.compute_plan", "schema_version": 1, "chip": chip, "os": platform.mac_ver()[0],
               "compute_units": arguments.compute_units, "function": arguments.function,
               "operations": list(operations(plan, program.functions[arguments.function].block))}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
