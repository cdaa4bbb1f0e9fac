"""anemone fetch and convert NAME, against nginx and against servers that misbehave, all on the loopback interface."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import servers

COMMAND = Path(os.environ.get("ANEMONE_COMMAND", Path(__file__).parents[2] / "build/bin/anemone"))
NGINX = shutil.which("nginx") or ("/usr/sbin/nginx" if Path("/usr/sbin/nginx").exists() else None)

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")
needs_nginx = pytest.mark.skipif(NGINX is None or shutil.which("openssl") is None,
                                 reason="needs nginx and openssl (tools/packages)")


class Box:
    """A cache of its own, and the command run with it."""

    def __init__(self, folder):
        self.cache = folder / "cache"
        self.lock = folder / "weights.lock.json"
        kept = {key: value for key, value in os.environ.items()
                if not key.lower().endswith("_proxy") and not key.startswith(("ANEMONE_", "XDG_", "CURL_", "SSL_"))}
        self.environment = dict(kept, ANEMONE_CACHE_DIR=str(self.cache), ANEMONE_LOCK_FILE=str(self.lock))

    def start(self, *arguments, **environment):
        return subprocess.Popen([str(COMMAND), *map(str, arguments)], env={**self.environment, **environment},
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *arguments, code=0, **environment):
        process = self.start(*arguments, **environment)
        out, error = process.communicate(timeout=120)
        assert process.returncode == code, out + error
        process.out, process.error = out, error
        return process

    def fetch(self, *arguments, **environment):
        return json.loads(self.run("fetch", *arguments, "--json", **environment).out)["files"][0]

    def refuse(self, *arguments, code=3, **environment):
        """The error document of a fetch that must fail, having left no content anywhere."""
        document = json.loads(self.run("fetch", *arguments, "--json", code=code, **environment).out)
        assert document["schema"] == "anemone.error" and document["exit_code"] == code
        left = [path for path in self.cache.rglob("*") if path.is_file()]
        assert left == [], left
        return document

    def partial_bytes(self):
        return sum(path.stat().st_blocks * 512 for path in self.cache.glob("downloads/partial/*/data"))


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


@pytest.fixture(scope="module")
def nginx(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nginx")
    root = folder / "root"
    root.mkdir()
    (root / "big.dat").write_bytes(random.Random(1).randbytes(24 << 20))
    (root / "small.dat").write_bytes(b"hello, world\n" * 100)
    server = servers.Nginx(folder, root, rate="4m")
    yield server
    server.stop()


@pytest.fixture
def bad():
    started = []

    def start(behaviors):
        started.append(servers.BadServer(behaviors))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def content(nginx, name):
    return (nginx.root / name).read_bytes()


# ---- a real server ----


@needs_nginx
def test_fetches_once_and_then_from_the_cache(nginx, box):
    file = box.fetch(nginx.url("small.dat"))
    data = content(nginx, "small.dat")
    assert Path(file["path"]).read_bytes() == data and file["sha256"] == servers.sha256(data)
    assert not file["from_cache"] and file["tool_version"] and file["url"] == nginx.url("small.dat")
    before = len(nginx.requests())
    again = box.fetch(nginx.url("small.dat"), "--offline")
    assert again["from_cache"] and again["path"] == file["path"]
    assert len(nginx.requests()) == before
    assert box.fetch(nginx.url("small.dat"), "--refresh")["from_cache"] is False
    assert len(nginx.requests()) == before + 1


@needs_nginx
def test_parallel_ranges_where_they_pay(nginx, box):
    before = len(nginx.requests())
    started = time.monotonic()
    file = box.fetch(nginx.url("slow/big.dat"))
    seconds = time.monotonic() - started
    assert file["connections"] == 4 and file["sha256"] == servers.sha256(content(nginx, "big.dat"))
    served = nginx.requests()[before:]
    assert [row for row in served if row[0] == 206 and row[2].startswith("bytes=")], served
    assert seconds < 24 / 4 * 0.8  # 24 MiB at 4 MiB/s take 6 s on one connection
    # One connection when told so, and when the server serves no ranges.
    assert box.fetch(nginx.url("slow/big.dat"), "--refresh", "--connections", "1")["connections"] == 1
    assert box.fetch(nginx.url("plain/big.dat"))["connections"] == 1


@needs_nginx
def test_resumes_after_a_kill(nginx, box):
    url = nginx.url("slow/big.dat")
    process = box.start("fetch", url, "--connections", "2")
    end = time.monotonic() + 20
    while box.partial_bytes() < 8 << 20 and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not list(box.cache.glob("downloads/objects/*/*"))  # nothing half-written counts
    file = box.fetch(url)
    assert file["resumed_bytes"] > 2 << 20
    assert file["transferred_bytes"] + file["resumed_bytes"] == 24 << 20
    assert file["sha256"] == servers.sha256(content(nginx, "big.dat"))
    assert not list(box.cache.glob("downloads/partial/*"))


@needs_nginx
def test_a_file_that_changed_meanwhile_is_fetched_anew(nginx, box):
    target = nginx.root / "changing.dat"
    target.write_bytes(random.Random(2).randbytes(16 << 20))
    url = nginx.url("slow/changing.dat")
    process = box.start("fetch", url, "--connections", "1")
    end = time.monotonic() + 20
    while box.partial_bytes() < 6 << 20 and time.monotonic() < end:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    fresh = random.Random(3).randbytes(12 << 20)
    target.unlink()
    target.write_bytes(fresh)
    os.utime(target, (1, 1))
    assert box.fetch(url)["sha256"] == servers.sha256(fresh)


@needs_nginx
def test_outlives_a_server_that_goes_away_for_a_moment(nginx, tmp_path, box):
    folder = tmp_path / "second"
    folder.mkdir()
    server = servers.Nginx(folder, nginx.root, rate="4m", tls=False)
    process = box.start("fetch", server.url("slow/big.dat"), "--json", "--connections", "1")
    end = time.monotonic() + 20
    while box.partial_bytes() < 6 << 20 and time.monotonic() < end:
        time.sleep(0.02)
    server.kill()
    time.sleep(0.3)
    server.start()
    out, error = process.communicate(timeout=60)
    server.stop()
    assert process.returncode == 0, error
    file = json.loads(out)["files"][0]
    assert file["failures_mended"] >= 1 and file["sha256"] == servers.sha256(content(nginx, "big.dat"))
    assert file["transferred_bytes"] < 26 << 20  # it resumed, it did not start over


@needs_nginx
def test_several_processes_fetch_once(nginx, box):
    before = len(nginx.requests())
    processes = [box.start("fetch", nginx.url("slow/big.dat?several"), "--json") for _ in range(4)]
    documents = []
    for process in processes:
        out, error = process.communicate(timeout=60)
        assert process.returncode == 0, error
        documents.append(json.loads(out)["files"][0])
    assert sum(not document["from_cache"] for document in documents) == 1
    assert len({document["path"] for document in documents}) == 1
    assert sum(row[0] == 200 for row in nginx.requests()[before:]) == 1


@needs_nginx
def test_tls_is_verified(nginx, box):
    assert "certificate is not trusted" in box.refuse(nginx.tls_url("small.dat"))["message"]
    ca = nginx.folder / "ca.pem"
    assert box.fetch(nginx.tls_url("small.dat"), "--ca-bundle", ca)["size_bytes"] == 1300
    for variable in ("ANEMONE_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        box.fetch(nginx.tls_url("small.dat"), "--refresh", **{variable: str(ca)})


@needs_nginx
def test_tls_certificate_of_another_host(nginx, box):
    # The certificate is good, but not for this name.
    url = nginx.tls_url("small.dat", host="127.0.0.1")
    assert "certificate is not trusted" in box.refuse(url, "--ca-bundle", nginx.folder / "ca.pem")["message"]


@needs_nginx
def test_mirror_and_proxy(nginx, bad, box):
    (nginx.root / "models.example").mkdir(exist_ok=True)
    (nginx.root / "models.example" / "a.dat").write_bytes(b"mirrored")
    file = box.fetch("https://models.example/a.dat", ANEMONE_MIRROR=nginx.url(""))
    assert Path(file["path"]).read_bytes() == b"mirrored"
    assert file["url"] == "https://models.example/a.dat" and file["fetched_from"] == nginx.url("models.example/a.dat")
    # A proxy is asked for the whole URL.
    server = bad({"http://models.example/b.dat": lambda request, n: request.send(200, {"Content-Length": 5}, b"proxy")})
    file = box.fetch("http://models.example/b.dat", http_proxy=server.url(""))
    assert Path(file["path"]).read_bytes() == b"proxy"


@needs_nginx
def test_digest_given_by_the_user(nginx, box):
    right = servers.sha256(content(nginx, "small.dat"))
    wrong = "0" * 64
    document = box.refuse(nginx.url("small.dat"), "--sha256", wrong)
    assert right in document["message"] and wrong in document["message"]
    assert box.fetch(nginx.url("small.dat"), "--sha256", right)["checked_against"] == "--sha256"
    # Cached content is checked against it too.
    assert wrong in json.loads(box.run("fetch", nginx.url("small.dat"), "--sha256", wrong, "--json", code=3).out)["message"]


@needs_nginx
def test_verify_finds_what_rotted(nginx, box):
    path = Path(box.fetch(nginx.url("small.dat"))["path"])
    assert json.loads(box.run("fetch", "--verify", "--json").out)["problems"] == []
    path.chmod(0o644)
    path.write_bytes(b"Hello, world\n" * 100)
    document = json.loads(box.run("fetch", "--verify", "--json", code=3).out)
    assert "SHA-256" in document["problems"][0]["problem"]
    box.run("fetch", "--verify", "--repair")
    assert box.fetch(nginx.url("small.dat"))["from_cache"] is False
    box.run("fetch", "--verify")


# ---- what the tests of misbehaving servers share (test_fetch_faults.py) ----

DATA = random.Random(4).randbytes(3 << 20)
FAST = ("--retries", "2", "--stall-timeout", "1", "--max-wait", "3")


def whole(request, data=DATA, **header):
    request.send(200, {"Content-Length": len(data), **header}, data)


# ---- names ----


def test_unknown_name(box):
    document = box.refuse("resnet51", code=2)
    assert "resnet50" in document["advice"]


def test_convert_offline_says_how_to_go_on(box, tmp_path):
    out = tmp_path / "m.mlpackage"
    process = box.run("convert", "resnet50", "-o", out, "--offline", "--json", code=3)
    document = json.loads(process.out)
    for part in ("--weights seeded", "anemone fetch resnet50 --from FILE", "https://download.pytorch.org/"):
        assert part in document["advice"]
    assert not out.exists()
    box.run("convert", "resnet50", "-o", out, "--offline", "--json", code=3, ANEMONE_OFFLINE="1")
    # Seeded needs no network, and the package says what it is.
    document = json.loads(box.run("convert", "mobilenetv3_small", "-o", out, "--weights", "seeded", "--offline",
                                  "--json").out)
    assert document["weights"] == "seeded" and document["metadata"]["anemone.weights"] == "seeded"
    manifest = json.loads(Path(document["manifest"]).read_text())
    assert manifest["model"] == "mobilenetv3_small" and manifest["precision"] == "fp32"
    assert manifest["weights"]["source"] == "seeded" and manifest["weights"]["seed"] == "0"


def test_seeded_weights_as_a_file(box, tmp_path):
    """Made without a connection, the same each time, and what `convert --weights seeded` builds from."""
    file = box.fetch("mobilenetv3_small", "--weights", "seeded", "--seed", "3", "--offline")
    assert file["checked_against"] == "seed" and file["seed"] == 3 and file["license"] is None
    assert file["url"] == "seeded:mobilenetv3_small?seed=3" and file["path"].endswith(".seed3.safetensors")
    assert servers.sha256(Path(file["path"]).read_bytes()) == file["sha256"]
    assert box.fetch("mobilenetv3_small", "--weights", "seeded", "--seed", "3")["sha256"] == file["sha256"]
    assert box.fetch("mobilenetv3_small", "--weights", "seeded")["sha256"] != file["sha256"]
    built, read = tmp_path / "built.mlpackage", tmp_path / "read.mlpackage"
    box.run("convert", "mobilenetv3_small", "--weights", "seeded", "--seed", "3", "-o", built)
    box.run("convert", "mobilenetv3_small", "--weights", file["path"], "-o", read)
    box.run("compare", built, read, "--tolerance-linf", "0", "--tolerance-rmse", "0")
    # It never passes for the published weights.
    box.run("fetch", "mobilenetv3_small", "--offline", code=3)
    box.run("fetch", "--verify")
    box.run("cache", "clear", "mobilenetv3_small")
    assert not Path(file["path"]).exists()
    assert "ONNX graph" in box.run("fetch", "yolos_tiny", "--weights", "seeded", code=2).error
    assert "resnet50" in box.run("fetch", "resnet51", "--weights", "seeded", code=2).error
    box.run("fetch", "resnet50", "--weights", "made-up", code=2)


@needs_nginx
def test_first_use_is_recorded_and_held(nginx, box, tmp_path):
    """fastvit_t8 has no published digest: the lock file keeps the first one seen."""
    origin = "huggingface.co/timm/fastvit_t8.apple_in1k/resolve/main"
    folder = nginx.root / origin
    folder.mkdir(parents=True, exist_ok=True)

    def publish(value):
        header = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
        data = len(header).to_bytes(8, "little") + header + np.float32(value).tobytes()
        (folder / "model.safetensors").write_bytes(data)
        return servers.sha256(data)

    first = publish(1)
    mirror = {"ANEMONE_MIRROR": nginx.url("")}
    file = box.fetch("fastvit_t8", **mirror)
    assert file["checked_against"] == "first use" and file["sha256"] == first and file["license"]
    assert json.loads(box.lock.read_text())["sha256"] == {f"https://{origin}/model.safetensors": first}
    shutil.rmtree(box.cache)
    second = publish(2)
    message = box.refuse("fastvit_t8", **mirror)["message"]
    assert first in message and second in message
    publish(1)
    assert box.fetch("fastvit_t8", **mirror)["checked_against"] == "lock file"
    # A weight file of another network is refused by name and shape; no other model takes its place.
    process = box.run("convert", "fastvit_t8", "-o", tmp_path / "m.mlpackage", code=3, **mirror)
    assert "1 are not used by any layer: x" in process.error and not (tmp_path / "m.mlpackage").exists()


def test_a_file_brought_by_hand(box, tmp_path):
    path = tmp_path / "weights.bin"
    path.write_bytes(DATA)
    digest = servers.sha256(DATA)
    document = json.loads(box.run("fetch", "resnet50", "--from", path, "--json", code=3).out)
    assert digest in document["message"] and "0676ba61" in document["message"]  # the digest's published beginning
    file = box.fetch("https://host.example/w.dat", "--from", path, "--sha256", digest)
    assert file["sha256"] == digest
    assert box.fetch("https://host.example/w.dat", "--offline")["from_cache"]


@needs_nginx
def test_sharded_safetensors_lie_side_by_side(nginx, box):
    """The index and the shards that it names, each fetched and checked, in one folder."""
    folder = nginx.root / "sharded"
    folder.mkdir(exist_ok=True)
    shards = {"model-00001-of-00002.safetensors": "a", "model-00002-of-00002.safetensors": "b"}
    for file, tensor in shards.items():
        header = json.dumps({tensor: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
        (folder / file).write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0\0\0")
    index = {"metadata": {}, "weight_map": {tensor: file for file, tensor in shards.items()}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    document = json.loads(box.run("fetch", nginx.url("sharded/model.safetensors.index.json"), "--json").out)
    paths = [Path(file["path"]) for file in document["files"]]
    assert {path.name for path in paths} == {*shards, "model.safetensors.index.json"}
    assert len({path.parent for path in paths}) == 1
    # The reader takes the index: every tensor is there, and belongs to no layer of this network.
    process = box.run("convert", "resnet18", "--weights", paths[0], "-o", box.cache / "x.mlpackage", code=3)
    assert "2 are not used by any layer: a, b" in process.error


@needs_nginx
def test_cache_ls_and_clear(nginx, box):
    box.fetch(nginx.url("small.dat"))
    box.fetch("https://host.example/w.dat", "--from", nginx.root / "big.dat")
    listing = json.loads(box.run("cache", "ls", "--json").out)
    assert [row["size_bytes"] for row in listing["downloads"]] == [1300, 24 << 20]
    assert listing["downloaded_size_bytes"] == 1300 + (24 << 20)
    assert nginx.url("small.dat") in box.run("cache", "ls").out
    assert json.loads(box.run("cache", "clear", "https://host.example/w.dat", "--json").out)["downloads_freed_bytes"] == 24 << 20
    box.run("cache", "clear", "nothing", code=3)
    assert json.loads(box.run("cache", "clear", "--json").out)["downloads_freed_bytes"] == 1300
    assert json.loads(box.run("cache", "ls", "--json").out)["downloads"] == []


@needs_nginx
def test_provenance_travels_into_the_package(nginx, box, tmp_path):
    """A catalog graph served by a mirror: what is known of its origin is in the package and outlives compression."""
    from onnx import TensorProto, helper, numpy_helper, save

    folder = nginx.root / "huggingface.co/onnx-community/mobilenetv4_conv_small.e2400_r224_in1k/resolve/main/onnx"
    folder.mkdir(parents=True, exist_ok=True)
    weight = numpy_helper.from_array(np.random.default_rng(0).standard_normal((64, 3, 16, 16)).astype(np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["pixel_values", "w"], ["y"], strides=[16, 16])], "g",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", 3, "height", "width"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 64, None, None])], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    save(model, str(folder / "model.onnx"))
    digest = servers.sha256((folder / "model.onnx").read_bytes())
    package, small = tmp_path / "m.mlpackage", tmp_path / "small.mlpackage"
    mirror = {"ANEMONE_MIRROR": nginx.url("")}
    document = json.loads(box.run("convert", "mobilenetv4_conv_small", "-o", package, "--json", **mirror).out)
    assert document["weights"] == "pretrained"
    box.run("compress", package, "-o", small)
    for path in (package, small):
        shown = json.loads(box.run("inspect", path, "--json").out)
        notes = shown["metadata"]["user_defined"]
        assert notes["anemone.weights.url"].startswith("https://huggingface.co/onnx-community/mobilenetv4")
        assert notes["anemone.weights.sha256"] == digest
        assert notes["anemone.weights.license"] == shown["metadata"]["license"] == "apache-2.0"
        assert notes["anemone.weights"] == "pretrained" and notes["anemone.tool_version"]
        manifest = json.loads(path.with_suffix(".manifest.json").read_text())
        assert manifest["weights"]["source"] == "pretrained" and manifest["weights"]["sha256"] == digest
        assert manifest["weights"]["url"] == notes["anemone.weights.url"] and manifest["weights"]["license"] == "apache-2.0"
        assert manifest["tool_version"] == notes["anemone.tool_version"]
        assert manifest["accuracy_delta_l_inf"] is None  # nothing was compared
    assert digest in box.run("inspect", package).out
    # The second time no connection is made; the package is made from the same file.
    box.run("convert", "mobilenetv4_conv_small", "-o", package, "--offline")
    assert "--weights" in box.run("convert", "mobilenetv4_conv_small", "--weights", "seeded", "-o", package, code=2).error


@needs_nginx
def test_progress_on_a_terminal(nginx, box):
    import pty

    main, side = pty.openpty()
    process = subprocess.Popen([str(COMMAND), "fetch", nginx.url("slow/big.dat"), "--connections", "1"], stdout=side,
                               stderr=side, env=box.environment)
    os.close(side)
    text = b""
    while True:
        try:
            piece = os.read(main, 4096)
        except OSError:
            break
        if not piece:
            break
        text += piece
    os.close(main)
    assert process.wait(timeout=30) == 0
    shown = text.decode()
    assert " of 25.2 MB" in shown and " MB/s" in shown and " s left" in shown
