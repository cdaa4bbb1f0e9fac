"""Every error text that models/README.md explains is the command's own: each is provoked here, and none is left out."""

import json
import re
import shutil
from pathlib import Path

import onnx
import pytest
import servers
from onnx import TensorProto, helper
from test_fetch import COMMAND, FAST, Box

ROOT = Path(__file__).parents[2]
README = (ROOT / "models/README.md").read_text()
WEIGHTS = ROOT / "tests/fixtures/weights"

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")


def error_texts():
    section = README.split("## Common errors and fixes")[1].split("\n## ")[0]
    return re.findall(r"^\| `(.+?)` \|", section, re.MULTILINE)


def to_pattern(text):
    return ".*".join(re.escape(part) for part in text.split("..."))


class Provoker:
    """One method for each text; each returns what the command printed."""

    def __init__(self, box, bad, folder):
        self.box, self.bad, self.folder = box, bad, folder

    def fetch(self, *arguments, code=3, **environment):
        return self.box.run("fetch", *arguments, code=code, **environment).error

    def convert(self, *arguments, code=3):
        return self.box.run("convert", *arguments, "-o", self.folder / "x.mlpackage", code=code).error

    def serve(self, answer, *arguments, path="/file.dat"):
        return self.fetch(self.bad({path: answer}).url(path), *FAST, *arguments)

    def onnx(self, operator, shape):
        path = self.folder / "model.onnx"
        graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"])], "g",
                                  [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        onnx.save(model, str(path))
        return self.convert(path)

    def trust(self):
        if shutil.which("openssl") is None or not (shutil.which("nginx") or Path("/usr/sbin/nginx").exists()):
            pytest.skip("needs nginx and openssl (tools/packages)")
        folder = self.folder / "nginx"
        (folder / "root").mkdir(parents=True)
        server = servers.Nginx(folder, folder / "root")
        try:
            return self.fetch(server.tls_url("x"))
        finally:
            server.stop()

    def other_size(self):
        path = "/huggingface.co/onnx-community/depth-anything-v2-small/resolve/main/onnx/model.onnx"
        server = self.bad({path: lambda request, n: request.send(200, {"Content-Length": 10}, b"x" * 10)})
        return self.fetch("depth_anything_v2_small", ANEMONE_MIRROR=server.url(""))

    def damaged(self):
        source = self.folder / "source"
        source.write_bytes(b"good")
        path = Path(self.box.fetch("https://host.example/w.dat", "--from", source)["path"])
        path.chmod(0o644)
        path.write_bytes(b"evil")
        return self.fetch("--verify")

    def drip(self, request, n):
        import time

        request.send(200, {"Content-Length": 1000})
        while True:
            request.connection.sendall(b"x")
            time.sleep(0.3)


def whole(body, status=200, **header):
    return lambda request, n: request.send(status, {"Content-Length": len(body), **header}, body)


PROVOKED = {
    "the catalog has no model '...'": lambda p: p.fetch("resnet51", code=2),
    "is not in the cache, and nothing is fetched offline": lambda p: p.convert("resnet50", "--offline"),
    "given up after ... attempts": lambda p: p.serve(whole(b"", 503)),
    "the server stalls: less than 1024 bytes per second for ... s": lambda p: p.serve(p.drip),
    "the server's certificate is not trusted": lambda p: p.trust(),
    "the server answers 404": lambda p: p.serve(whole(b"", 404)),
    "the server answers 403": lambda p: p.serve(whole(b"", 403)),
    "the server answers 429 (too many requests); it asks to retry in ... s":
        lambda p: p.serve(whole(b"", 429, **{"Retry-After": "900"})),
    "the server answered with a web page (HTML), not with the file":
        lambda p: p.serve(whole(b"<html>log in</html>", **{"Content-Type": "text/html"})),
    "the server redirects to '...', which is not followed": lambda p: p.serve(whole(b"", 302, Location="file:///etc/passwd")),
    "the server offers ... bytes, but ... are expected": lambda p: p.other_size(),
    "the content has the SHA-256 ..., but ... is expected": lambda p: p.serve(whole(b"data"), "--sha256", "0" * 64),
    "the server announces ... bytes, but the limit is ...": lambda p: p.serve(whole(b"data"), "--max-size", "3"),
    "the disk has room for ...":
        lambda p: p.serve(lambda request, n: request.send(200, {"Content-Length": 1 << 60}, b"x"), "--max-size", str(1 << 61)),
    "the name '...' promises ..., but the content is something else": lambda p: p.serve(whole(b"hello"), path="/a.safetensors"),
    "of the cache's files are damaged": lambda p: p.damaged(),
    "tensors are missing: ...": lambda p: p.convert("resnet18", "--weights", WEIGHTS / "zip.pth"),
    "the global '...' at offset ... is outside what weight files need, and is not executed":
        lambda p: p.convert("resnet18", "--weights", WEIGHTS / "hostile.pth"),
    "this is a TorchScript program, not weights": lambda p: p.convert("resnet18", "--weights", WEIGHTS / "script.pt"),
    "there is no conversion of this operator": lambda p: p.onnx("Frobnicate", [1, 3]),
    "its shape [...] is open": lambda p: p.onnx("Relu", ["N", "length"]),
    "'...' is not a model": lambda p: p.convert("nothing.xyz"),
    "'minimum_deployment_target' is '...': choose ...":
        lambda p: p.convert("resnet18", "--weights", "seeded", "--minimum-deployment-target", "iOS14", code=2),
}


def test_every_text_of_the_readme_is_provoked():
    assert sorted(error_texts()) == sorted(PROVOKED)


@pytest.mark.parametrize("text", PROVOKED)
def test_the_command_says_so(text, tmp_path):
    started = []

    def bad(behaviors):
        started.append(servers.BadServer(behaviors))
        return started[-1]

    try:
        said = PROVOKED[text](Provoker(Box(tmp_path), bad, tmp_path))
    finally:
        for server in started:
            server.stop()
    assert re.search(to_pattern(text), said), said
    assert not Path("/tmp/executed").exists()


def test_the_table_is_the_catalog():
    models = json.loads((ROOT / "models/catalog.json").read_text())["models"]
    rows = {cells[1].strip().strip("`"): cells for cells in
            (line.split("|") for line in README.split("## Where things are kept")[0].splitlines() if line.startswith("| `"))}
    assert list(rows) == [model["name"] for model in models]
    for model in models:
        cells = rows[model["name"]]
        assert model["title"] == cells[2].strip()
        assert (model["license"] or "see publisher") == cells[7].strip()
        accuracy = model["accuracy"]
        assert (f"{accuracy[0]['metric']} {accuracy[0]['value']:g} %" if accuracy else "–") == cells[6].strip()
