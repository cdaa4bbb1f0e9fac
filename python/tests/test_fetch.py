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
    os.chmod(folder, 0o755)  # the worker may run as another user
    for parent in folder.parents:
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            os.chmod(parent, parent.stat().st_mode | 0o055)
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

    def start(behaviours):
        started.append(servers.BadServer(behaviours))
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
    assert file["transferred_bytes"] < 26 << 20  # it went on, it did not begin anew


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
    # What is in the cache is held to it too.
    assert wrong in json.loads(box.run("fetch", nginx.url("small.dat"), "--sha256", wrong, "--json", code=3).out)["message"]


@needs_nginx
def test_verify_finds_what_rotted(nginx, box):
    path = Path(box.fetch(nginx.url("small.dat"))["path"])
    assert json.loads(box.run("fetch", "--verify", "--json").out)["problems"] == []
    path.chmod(0o644)
    path.write_bytes(b"Hello, world\n" * 100)
    out = box.run("fetch", "--verify", "--json", code=3).out
    document, _ = json.JSONDecoder().raw_decode(out)
    assert "SHA-256" in document["problems"][0]["problem"]
    box.run("fetch", "--verify", "--repair")
    assert box.fetch(nginx.url("small.dat"))["from_cache"] is False
    box.run("fetch", "--verify")


# ---- servers that misbehave ----

DATA = random.Random(4).randbytes(3 << 20)
FAST = ("--retries", "2", "--stall-timeout", "1", "--max-wait", "3")


def whole(request, data=DATA, **header):
    request.send(200, {"Content-Length": len(data), **header}, data)


def test_body_shorter_than_announced(bad, box):
    server = bad({"/x": lambda request, n: request.send(200, {"Content-Length": len(DATA)}, DATA[:-1])})
    message = box.refuse(server.url("/x"), *FAST)["message"]
    assert f"sent {len(DATA) - 1} of {len(DATA)} bytes" in message and "after 3 attempts" in message


def test_short_body_is_completed_where_ranges_are_served(bad, box):
    def answer(request, n):
        header = {"ETag": '"v1"', "Accept-Ranges": "bytes"}
        first = request.first_byte
        if first is None:
            return request.send(200, {**header, "Content-Length": len(DATA)}, DATA[: 2 << 20])
        assert request.header["if-range"] == '"v1"'
        request.send(206, {**header, "Content-Length": len(DATA) - first,
                           "Content-Range": f"bytes {first}-{len(DATA) - 1}/{len(DATA)}"}, DATA[first:])

    file = box.fetch(bad({"/x": answer}).url("/x"), *FAST)
    assert file["sha256"] == servers.sha256(DATA) and file["failures_mended"] == 1
    assert file["transferred_bytes"] == len(DATA)


def test_endless_body(bad, box):
    def endless(request, n):
        request.send(200)
        while True:
            request.connection.sendall(b"x" * 65536)

    message = box.refuse(bad({"/x": endless}).url("/x"), "--max-size", "5M")["message"]
    assert "announces no length" in message and str(5 << 20) in message


def test_endless_chunks(bad, box):
    def endless(request, n):
        request.send(200, {"Transfer-Encoding": "chunked"})
        while True:
            request.connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    assert "announces no length" in box.refuse(bad({"/x": endless}).url("/x"), "--max-size", "5M")["message"]


def test_more_than_the_disk_holds(bad, box):
    server = bad({"/x": lambda request, n: request.send(200, {"Content-Length": 1 << 60}, b"x")})
    assert "the limit is" in box.refuse(server.url("/x"))["message"]
    assert "the disk has room for" in box.refuse(server.url("/x"), "--max-size", str(1 << 61))["message"]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x"])
def test_redirect_to_another_scheme(bad, box, target):
    server = bad({"/x": lambda request, n: request.send(302, {"Location": target, "Content-Length": 0})})
    message = box.refuse(server.url("/x"), *FAST)["message"]
    assert f"redirects to '{target}'" in message


def test_redirect_without_end(bad, box):
    server = bad({"/x": lambda request, n: request.send(302, {"Location": "/x", "Content-Length": 0})})
    assert "redirects without end" in box.refuse(server.url("/x"), *FAST)["message"]


@needs_nginx
def test_redirect_from_https_to_http(nginx, box):
    url = nginx.tls_url("downgrade/small.dat")
    message = box.refuse(url, "--ca-bundle", nginx.folder / "ca.pem", *FAST)["message"]
    assert f"redirects to '{nginx.url('small.dat')}'" in message


def test_slow_drip(bad, box):
    def drip(request, n):
        request.send(200, {"Content-Length": len(DATA)})
        for byte in DATA:
            request.connection.sendall(bytes([byte]))
            time.sleep(0.2)

    started = time.monotonic()
    assert "the server stalls" in box.refuse(bad({"/x": drip}).url("/x"), *FAST)["message"]
    assert time.monotonic() - started < 30


def test_header_that_never_ends(bad, box):
    def drip(request, n):
        request.connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            request.connection.sendall(b"X-A: b\r\n")
            time.sleep(0.3)

    assert "the server stalls" in box.refuse(bad({"/x": drip}).url("/x"), *FAST)["message"]


def test_html_instead_of_weights(bad, box):
    page = b"<!DOCTYPE html><html><body>Please log in</body></html>"
    server = bad({"/a.dat": lambda request, n: whole(request, page, **{"Content-Type": "text/html; charset=utf-8"}),
                  "/b.dat": lambda request, n: whole(request, b"\n  " + page, **{"Content-Type": "application/octet-stream"}),
                  "/c.safetensors": lambda request, n: whole(request, b'{"error": "gone"}')})
    assert "web page (HTML)" in box.refuse(server.url("/a.dat"))["message"]
    assert "web page (HTML)" in box.refuse(server.url("/b.dat"))["message"]
    assert "promises a safetensors file" in box.refuse(server.url("/c.safetensors"))["message"]


def test_range_not_satisfiable(bad, box):
    server = bad({"/x": lambda request, n: request.send(416, {"Content-Length": 0})})
    assert "416" in box.refuse(server.url("/x"), *FAST)["message"]


def test_416_to_a_resumed_request_begins_anew(bad, box):
    header = {"ETag": '"v1"', "Accept-Ranges": "bytes"}

    def answer(request, n):
        if request.first_byte is not None:
            return request.send(416, {"Content-Range": "bytes */5"})
        request.send(200, {**header, "Content-Length": len(DATA)}, DATA if n > 1 else DATA[: 1 << 20])

    server = bad({"/x": answer})
    assert box.fetch(server.url("/x"), *FAST)["sha256"] == servers.sha256(DATA)
    assert [request.first_byte for request in server.requests] == [None, 1 << 20, None]


def test_too_many_requests(bad, box):
    times = []

    def answer(request, n):
        times.append(time.monotonic())
        if n < 2:
            return request.send(429, {"Retry-After": "1", "Content-Length": 4}, b"wait")
        whole(request)

    assert box.fetch(bad({"/x": answer}).url("/x"), *FAST)["failures_mended"] == 2
    assert times[1] - times[0] >= 0.99 and times[2] - times[1] >= 0.99
    # Not longer than the user is willing to wait.
    server = bad({"/x": lambda request, n: request.send(429, {"Retry-After": "3600", "Content-Length": 0})})
    document = box.run("fetch", server.url("/x"), "--refresh", *FAST, "--json", code=3)
    message = json.loads(document.out)["message"]
    assert "429 (too many requests)" in message and "come back in 3600 s" in message


def test_server_errors_are_tried_again_others_are_not(bad, box):
    server = bad({"/busy": lambda request, n: whole(request) if n == 2 else request.send(503),
                  "/gone": lambda request, n: request.send(404),
                  "/closed": lambda request, n: request.send(403),
                  "/teapot": lambda request, n: request.send(204)})
    assert box.fetch(server.url("/busy"), *FAST)["failures_mended"] == 2
    shutil.rmtree(box.cache)
    assert "404" in box.refuse(server.url("/gone"), *FAST)["message"]
    assert "licence" in box.refuse(server.url("/closed"), *FAST)["advice"]
    box.refuse(server.url("/teapot"), *FAST)
    assert [request.path for request in server.requests].count("/gone") == 1


def test_lies_about_ranges(bad, box):
    header = {"ETag": '"v1"', "Accept-Ranges": "bytes"}

    def other_bytes(request, n):
        if request.first_byte is None:
            return request.send(200, {**header, "Content-Length": len(DATA)}, DATA[: 1 << 20])
        request.send(206, {**header, "Content-Length": 10, "Content-Range": f"bytes 0-9/{len(DATA)}"}, DATA[:10])

    def other_version(request, n):
        first = request.first_byte
        if first is None:
            return request.send(200, {**header, "Content-Length": len(DATA)}, DATA[: 1 << 20])
        request.send(206, {"ETag": '"v2"', "Content-Length": len(DATA) - first,
                           "Content-Range": f"bytes {first}-{len(DATA) - 1}/{len(DATA)}"}, b"?" * (len(DATA) - first))

    def other_size(request, n):
        first = request.first_byte
        if first is None:
            return request.send(200, {**header, "Content-Length": len(DATA)}, DATA[: 1 << 20])
        request.send(206, {**header, "Content-Length": 10, "Content-Range": f"bytes {first}-{first + 9}/{first + 10}"},
                     DATA[first:first + 10])

    server = bad({"/bytes": other_bytes, "/version": other_version, "/size": other_size})
    assert "the server sent from 0" in box.refuse(server.url("/bytes"), *FAST)["message"]
    assert "another version" in box.refuse(server.url("/version"), *FAST)["message"]
    assert "bytes now and said" in box.refuse(server.url("/size"), *FAST)["message"]


def test_compressed_although_not_asked_for(bad, box):
    server = bad({"/x": lambda request, n: whole(request, **{"Content-Encoding": "gzip"})})
    assert "'gzip'" in box.refuse(server.url("/x"))["message"]
    assert server.requests[0].header["accept-encoding"] == "identity"


@pytest.mark.parametrize(("answer", "text"), [
    (b"lalala\r\n\r\n", "does not speak HTTP/1"),
    (b"hello world" * 100, "does not speak HTTP/1"),
    (b"", "Empty reply"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", "Content-Length"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nhello", "a length of '99999999999999999999999'"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello", "5 of 7 bytes"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "the file is empty"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\nhello\r\n", "chunked"),
    (b"HTTP/1.1 304 Not Modified\r\n\r\n", "answers 304"),
    (b"HTTP/1.1 302 Found\r\nContent-Length: 3\r\n\r\nabc", "answers 302"),
    (b"HTTP/1.1 302 Found\r\nLocation: data:text/plain,hello\r\n\r\n", "redirects to 'data:"),
    (b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 60000 + b"\r\n", "Too large response headers"),
])
def test_answers_that_break_the_protocol(bad, box, answer, text):
    server = bad({"/x": lambda request, n: request.connection.sendall(answer)})
    assert text in box.refuse(server.url("/x"), *FAST)["message"]


def test_a_part_without_saying_which(bad, box):
    def answer(request, n):
        header = {"ETag": '"v1"', "Accept-Ranges": "bytes"}
        if request.first_byte is None:
            return request.send(200, {**header, "Content-Length": len(DATA)}, DATA[: 1 << 20])
        request.send(206, {"ETag": '"v1"'}, DATA[request.first_byte:])

    assert "the server sent from -1" in box.refuse(bad({"/x": answer}).url("/x"), *FAST)["message"]


def test_no_server_at_all(box):
    started = time.monotonic()
    message = box.refuse(f"http://127.0.0.1:{servers.free_port()}/x")["message"]
    assert "given up after 3 attempts" in message
    assert time.monotonic() - started < 10


def test_length_unknown_but_honest(bad, box):
    server = bad({"/x": lambda request, n: request.send(200, {}, DATA)})
    assert box.fetch(server.url("/x"))["sha256"] == servers.sha256(DATA)


def test_urls_that_are_refused(box):
    for url, text in (("file:///etc/passwd", "scheme 'file'"), ("https://me:pw@host/x", "password")):
        assert text in box.refuse(url, code=2)["message"]


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
    assert file["checked_against"] == "first use" and file["sha256"] == first and file["licence"]
    assert json.loads(box.lock.read_text())["sha256"] == {f"https://{origin}/model.safetensors": first}
    shutil.rmtree(box.cache)
    second = publish(2)
    message = box.refuse("fastvit_t8", **mirror)["message"]
    assert first in message and second in message
    publish(1)
    assert box.fetch("fastvit_t8", **mirror)["checked_against"] == "lock file"
    # A weight file of another network is refused by name and shape; no other model takes its place.
    process = box.run("convert", "fastvit_t8", "-o", tmp_path / "m.mlpackage", code=3, **mirror)
    assert "belong to no layer: x" in process.error and not (tmp_path / "m.mlpackage").exists()


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
    assert "2 tensors belong to no layer: a, b" in process.error or "2 belong to no layer: a, b" in process.error


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
    """A catalogue graph served by a mirror: what is known of its origin is in the package and outlives compression."""
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
        assert notes["anemone.weights.licence"] == shown["metadata"]["license"] == "apache-2.0"
        assert notes["anemone.weights"] == "pretrained" and notes["anemone.tool_version"]
    assert digest in box.run("inspect", package).out
    # The second time nothing is asked of anybody; the first package is not made of something else.
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
