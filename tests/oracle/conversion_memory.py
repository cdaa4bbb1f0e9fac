"""Memory that the conversion of a large model takes, an ONNX file or PyTorch's (.pt2): peak resident size of `anemone convert`, mapped files included.

    python3 tests/oracle/conversion_memory.py                   # 1 GB of weights, in the file and beside it
    python3 tests/oracle/conversion_memory.py --megabytes 256

The Python has onnx, numpy and torch. Each model is a chain of layers with float32 weights of 16 MB; `matmul` has them as [in, out],
which conversion transposes, `gemm` as [out, in]. The system counts the peak (ru_maxrss of the child). The exit status is the
number of conversions that took more than 1.3 times the model's size.
"""

import argparse
import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from onnx import TensorProto, helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
ANEMONE = os.environ.get("ORACLE_ANEMONE", str(ROOT / "build/bin/anemone"))
WIDTH = 2048
LIMIT = 1.3


def make(path, layers, kind, external):
    random = np.random.default_rng(0)
    base = (random.standard_normal((WIDTH, WIDTH)) / WIDTH**0.5).astype(np.float32)
    nodes, weights, x = [], [], "x"
    beside = open(path.with_suffix(".data"), "wb") if external else None
    for i in range(layers):
        data = np.roll(base, i + 1, axis=0).tobytes()
        weight = TensorProto(name=f"w{i}", data_type=TensorProto.FLOAT, dims=[WIDTH, WIDTH])
        if external:
            weight.data_location = TensorProto.EXTERNAL
            for key, value in (("location", path.with_suffix(".data").name), ("offset", i * len(data)), ("length", len(data))):
                weight.external_data.add(key=key, value=str(value))
            beside.write(data)
        else:
            weight.raw_data = data
        weights.append(weight)
        attributes = {"transB": 1} if kind == "gemm" else {}
        nodes.append(helper.make_node("Gemm" if kind == "gemm" else "MatMul", [x, f"w{i}"], [f"m{i}"], **attributes))
        nodes.append(helper.make_node("Tanh", [f"m{i}"], [f"x{i}"]))
        x = f"x{i}"
    if external:
        beside.close()
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, WIDTH]) for name in ("x", x)]
    model = helper.make_model(helper.make_graph(nodes, "chain", info[:1], info[1:], weights),
                              opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())


def make_program(path, layers):
    """The same chain as PyTorch exports it."""
    import torch

    chain = []
    for i in range(layers):
        linear = torch.nn.Linear(WIDTH, WIDTH)
        torch.nn.init.normal_(linear.weight, std=WIDTH**-0.5, generator=torch.Generator().manual_seed(i))
        chain += [linear, torch.nn.Tanh()]
    torch.export.save(torch.export.export(torch.nn.Sequential(*chain), (torch.ones(1, WIDTH),)), path)


def peak(*arguments):
    """Bytes that the command had in memory at most."""
    child = subprocess.Popen([ANEMONE, "-q", *map(str, arguments)])
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{arguments}: status {status}")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1024)
    options = parser.parse_args()
    layers, failures = max(1, options.megabytes * 2**20 // (WIDTH * WIDTH * 4)), 0
    size = layers * WIDTH * WIDTH * 4
    cases = [(f"{kind:7} {'beside the file' if external else 'in the file':16}", "model.onnx", make, (kind, external))
             for kind in ("matmul", "gemm") for external in (False, True)]
    cases.append((f"{'linear':7} {'.pt2':16}", "model.pt2", make_program, ()))
    for title, file, maker, arguments in cases:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            # In a process of its own: a child's peak counts what its parent held when it started.
            process = multiprocessing.get_context("spawn").Process(target=maker, args=(folder / file, layers, *arguments))
            process.start()
            process.join()
            for precision in ("float32", "float16"):
                ratio = peak("convert", folder / file, "-o", folder / "o.mlpackage", "--compute-precision", precision) / size
                failures += ratio > LIMIT
                print(f"{title} {precision}  {ratio:.2f} x", flush=True)
    return failures


if __name__ == "__main__":
    sys.exit(main())
