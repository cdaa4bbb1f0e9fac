"""A running `anemone serve`, and models for it, for the tests of the server and of its page."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

COMMAND = Path(os.environ.get("ANEMONE_COMMAND", Path(__file__).parents[2] / "build/bin/anemone"))


class Server:
    """`anemone serve` on a free port."""

    def __init__(self, model, *arguments, on_interrupt=signal.SIG_DFL):
        """`on_interrupt`: what SIGINT does where the server is started. A shell has it ignored in what it runs in the
        background, these tests maybe, so it is said here and not inherited."""
        self.process = subprocess.Popen([str(COMMAND), "serve", str(model), "--address", "127.0.0.1:0", "--json", *arguments],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        preexec_fn=lambda: signal.signal(signal.SIGINT, on_interrupt))
        text = ""
        while not text.endswith("}\n"):
            line = self.process.stdout.readline()
            assert line, self.process.stderr.read()
            text += line
        self.document = json.loads(text)
        self.url = self.document["url"]
        self.name = self.document["name"]
        self.port = int(self.url.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            assert self.stop() == 0

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        code = self.process.wait(timeout=30)
        self.errors = self.process.stderr.read()
        return code

    def request(self, method, path, body=None, headers=None, timeout=30):
        """(status, headers, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def get(self, path):
        status, _, body = self.request("GET", path)
        assert status == 200, body
        return body

    def post_json(self, path, document):
        status, _, body = self.request("POST", path, json.dumps(document))
        return status, json.loads(body)

    def metric(self, name, **labels):
        """The sum over the samples of that name with those labels."""
        total = 0.0
        for line in self.get("/metrics").decode().splitlines():
            match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if not match or match[1] != name:
                continue
            found = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or ""))
            if all(found.get(key) == value for key, value in labels.items()):
                total += float(match[3])
        return total

    def memory(self):
        """Resident bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def raw(self, data, timeout=10):
        """Sends the bytes, and returns what comes until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as sock:
            sock.sendall(data)
            return received(sock)


def received(sock):
    out = b""
    try:
        while chunk := sock.recv(65536):
            out += chunk
    except ConnectionResetError:
        pass
    return out


def make_rows(path):
    """y = softmax(x W), a row for each row of x, however many; z counts the features of a row that are above 0."""
    rng = np.random.default_rng(3)
    weight = onnx.numpy_helper.from_array(rng.standard_normal((6, 4)).astype(np.float32), "w")
    zero = onnx.numpy_helper.from_array(np.zeros((), np.float32), "zero")
    axes = onnx.numpy_helper.from_array(np.array([1], np.int64), "axes")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Softmax", ["m"], ["y"], axis=1),
             helper.make_node("Greater", ["x", "zero"], ["above"]),
             helper.make_node("Cast", ["above"], ["ones"], to=TensorProto.INT32),
             helper.make_node("ReduceSum", ["ones", "axes"], ["z"], keepdims=0)]
    graph = helper.make_graph(nodes, "rows", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 6])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4]),
                               helper.make_tensor_value_info("z", TensorProto.INT32, ["n"])], [weight, zero, axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def by_onnxruntime(path, **inputs):
    session = onnxruntime.InferenceSession(str(path))
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, inputs)))
