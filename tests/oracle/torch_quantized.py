"""Quantized exports of PyTorch: what becomes of them, beside PyTorch's own numbers.

    python3 tests/oracle/torch_quantized.py                 # a table; the exit status is the number of rows that fail
    python3 tests/oracle/torch_quantized.py --fixtures      # small ones into tests/fixtures/torch/

PT2E (`quantized_decomposed.*`) needs PyTorch 2.7 or older, which has XNNPACK's quantizer; torchao's configurations need
torchao. What is not installed is left out. A row fails when no weight is a constexpr operator, when the package is more than
5 % larger than the tensors that the exported graph reads (networks of 1 MB, where the program weighs little), or when an
output is off by more than one quantum (a 255th of its range).
"""

import argparse
import io
import pathlib
import re
import sys
import tempfile
import warnings

import numpy as np
import torch
from torch import nn

import anemone

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "torch"


class Pictures(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, width, 3, stride=2)
        self.c = nn.Linear(width, 2 * width)

    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x)))).mean((2, 3)))


class Vectors(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(width, 4 * width), nn.Linear(4 * width, 2 * width), nn.Linear(2 * width, 16)

    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x)))))


def made(network, width):
    torch.manual_seed(0)
    return network(width).eval(), torch.randn(1, 3, 12, 12) if network is Pictures else torch.randn(4, width)


def pt2e(network, width, **options):
    from torch.ao.quantization.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torch.ao.quantization.quantizer.xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

    module, x = made(network, width)
    graph = torch.export.export_for_training(module, (x,)).module()
    graph = prepare_pt2e(graph, XNNPACKQuantizer().set_global(get_symmetric_quantization_config(**options)))
    for _ in range(3):
        graph(torch.randn_like(x))
    graph(x)
    return convert_pt2e(graph), x


def torchao(network, width, config):
    from torchao.quantization import quantize_
    from torchao.utils import unwrap_tensor_subclass

    module, x = made(network, width)
    quantize_(module, config)
    return unwrap_tensor_subclass(module), x


def networks():
    """Name, lowest target, function of a width that makes the module and its input."""
    try:
        from torch.ao.quantization.quantizer import xnnpack_quantizer  # noqa: F401

        for name, options in (
            ("static, per channel", {"is_per_channel": True}),
            ("static, per tensor", {}),
            ("dynamic", {"is_per_channel": True, "is_dynamic": True}),
            ("4 bits in 8", {"is_per_channel": True, "weight_qmin": -7, "weight_qmax": 7}),
        ):
            for network in (Pictures, Vectors):
                if network is Vectors or name != "dynamic":
                    yield f"PT2E {name}, {network.__name__}", "iOS17", lambda w, n=network, o=options: pt2e(n, w, **o)
    except ImportError:
        pass
    try:
        from torchao.quantization import Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig, IntxWeightOnlyConfig
        from torchao.quantization.granularity import PerAxis, PerGroup
    except ImportError:
        return
    for name, target, config in (
        ("int8 weights", "iOS16", Int8WeightOnlyConfig()),
        ("int8 dynamic", "iOS16", Int8DynamicActivationInt8WeightConfig()),
        ("int4 weights, rows", "iOS16", IntxWeightOnlyConfig(torch.int4, PerAxis(0))),
        ("int4 weights, groups", "iOS18", IntxWeightOnlyConfig(torch.int4, PerGroup(32))),
    ):
        yield f"torchao {name}", target, lambda w, c=config: torchao(Vectors, w, c)


def bytes_read(program):
    """Of the tensors that nodes of the exported graph read."""
    used = {node.name for node in program.graph.nodes if node.op == "placeholder" and node.users}
    held = {**program.state_dict, **program.constants}
    return sum(
        held[spec.target].numel() * held[spec.target].element_size()
        for spec in program.graph_signature.input_specs
        if spec.target in held and spec.arg.name in used
    )


def measured(make, target, width, folder):
    module, x = make(width)
    with torch.no_grad():
        wanted = module(x).numpy()
        program = torch.export.export(module, (x,))
    path = folder / "model.pt2"
    torch.export.save(program, str(path))
    converted = anemone.convert(path, minimum_deployment_target=target)
    package = folder / "model.mlpackage"
    converted.save(package)
    found = list(converted.predict({converted.inputs[0].name: x.numpy()}).values())[0]
    size = sum(file.stat().st_size for file in package.rglob("*") if file.is_file())
    kept = len(re.findall(r"= constexpr_\w+\(", converted.text()))
    return kept, size / bytes_read(program), float(np.abs(found - wanted).max() / (np.ptp(wanted) / 255))


def write_fixtures():
    from make_torch_program_fixtures import rewritten

    for name, _, make in networks():
        if name not in ("PT2E static, per channel, Vectors", "torchao int8 dynamic", "torchao int4 weights, groups"):
            continue
        module, x = make(16 if name.startswith("PT2E") else 32)
        buffer = io.BytesIO()
        with torch.no_grad():
            torch.export.save(torch.export.export(module, (x,)), buffer)
            stem = "quantized_" + re.sub(r"\W+", "_", name.removesuffix(", Vectors")).lower()
            np.savez(FOLDER / f"{stem}.npz", x=x.numpy(), y=module(x).numpy())
        rewritten(buffer, FOLDER / f"{stem}.pt2", packed=True)


def main():
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fixtures", action="store_true")
    if parser.parse_args().fixtures:
        return write_fixtures()
    failures = 0
    print("| network | target | constexpr weights | size | quanta off |\n|---|---|---|---|---|")
    for name, target, make in networks():
        with tempfile.TemporaryDirectory() as folder:
            kept, size, quanta = measured(make, target, 320, pathlib.Path(folder))
        failures += kept == 0 or size > 1.05 or quanta > 1
        print(f"| {name} | {target} | {kept} | {size:.2f} | {quanta:.2g} |", flush=True)
    return failures


if __name__ == "__main__":
    sys.exit(main())
