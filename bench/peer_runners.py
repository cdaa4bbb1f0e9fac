"""One network loaded by one peer: what bench/peers.py measures, and, as a program of its own, how long loading takes and how
much memory it adds.

    python bench/peer_runners.py PEER MODEL THREADS FEEDS.npz

prints {"load_ms", "first_ms", "added_mb"} of a fresh process whose modules were imported before.
"""

import json
import os
import sys
import time

# Some images force an old instruction set on NumPy's BLAS.
os.environ.pop("OPENBLAS_CORETYPE", None)

import numpy as np


class Anemone:
    """An .onnx file, or a package that Anemone made of it."""

    numerics = "as_typed"

    def __init__(self, path, threads, feeds):
        import anemone

        shapes = {name: list(value.shape) for name, value in feeds.items()}
        options = {"input_shapes": shapes} if str(path).endswith(".onnx") else {}
        self.model = anemone.load(path, threads=threads, numerics=self.numerics, **options)

    def run(self, feeds):
        return list(self.model.predict(feeds).values())


class OnnxRuntime:
    def __init__(self, path, threads, feeds):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(self, feeds):
        return self.session.run(None, feeds)


class OpenVino:
    hint = "f32"

    def __init__(self, path, threads, feeds):
        import openvino

        core = openvino.Core()
        model = core.read_model(str(path))
        model.reshape({name: list(value.shape) for name, value in feeds.items()})
        compiled = core.compile_model(model, "CPU", {
            "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": self.hint})
        self.request = compiled.create_infer_request()
        self.outputs = compiled.outputs

    def run(self, feeds):
        results = self.request.infer(feeds)
        return [results[output] for output in self.outputs]


class AnemoneBfloat16(Anemone):
    numerics = "bfloat16"


class OpenVinoBfloat16(OpenVino):
    hint = "bf16"


class OpenCv:
    """OpenCV's DNN module."""

    def __init__(self, path, threads, feeds):
        import cv2

        cv2.setNumThreads(threads)
        self.net = cv2.dnn.readNetFromONNX(str(path))
        self.names = self.net.getUnconnectedOutLayersNames()

    def run(self, feeds):
        for name, value in feeds.items():
            self.net.setInput(value, name)
        return list(self.net.forward(self.names))


class Torch:
    """The same network from the .pt2 file beside the .onnx one, frozen."""

    def __init__(self, path, threads, feeds):
        import torch

        torch.set_num_threads(threads)
        self.torch = torch
        module = torch.export.load(str(path)).module()
        example = tuple(torch.from_numpy(value) for value in feeds.values())
        self.module = torch.jit.freeze(torch.jit.trace(module, example).eval())

    def run(self, feeds):
        with self.torch.inference_mode():
            out = self.module(*(self.torch.from_numpy(value) for value in feeds.values()))
        return [value.numpy() for value in (out if isinstance(out, tuple | list) else [out])]


PEERS = {"anemone": Anemone, "onnxruntime": OnnxRuntime, "openvino": OpenVino, "opencv": OpenCv, "torch": Torch,
         "anemone_bfloat16": AnemoneBfloat16, "openvino_bfloat16": OpenVinoBfloat16}


def private_kb():
    """Memory of this process that is not a view of a file."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))


def main():
    peer, path, threads, feeds_path = sys.argv[1:]
    with np.load(feeds_path) as stored:
        feeds = dict(stored)
    # Importing is no part of it.
    __import__({"openvino": "openvino", "opencv": "cv2"}.get(peer, peer))
    before = private_kb()
    begin = time.perf_counter()
    runner = PEERS[peer](path, int(threads), feeds)
    loaded = time.perf_counter()
    runner.run(feeds)
    first = time.perf_counter()
    for _ in range(3):
        runner.run(feeds)
    print(json.dumps({"load_ms": (loaded - begin) * 1e3, "first_ms": (first - loaded) * 1e3,
                      "added_mb": (private_kb() - before) / 1024}))


if __name__ == "__main__":
    main()
