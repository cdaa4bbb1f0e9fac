"""Hostile clients of `anemone serve`: broken, endless, slow and wrong requests. Nothing crashes, hangs or leaks."""

import concurrent.futures
import contextlib
import gzip
import io
import json
import socket
import struct
import time

import numpy as np
import onnx
import pytest
from conftest import make_classifier
from PIL import Image
from serving import COMMAND, Server, make_rows, received

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("hostile")
    onnx.save(make_classifier(), str(root / "classifier.onnx"))
    make_rows(root / "rows.onnx")
    Image.fromarray(np.random.default_rng(5).integers(0, 256, (40, 30, 3), np.uint8)).save(root / "photo.png")
    return root


@pytest.fixture(scope="module")
def server(folder):
    with Server(folder / "classifier.onnx") as running:
        yield running


@pytest.mark.parametrize("body", [
    b"", b"{", b"null", b"[1, 2]", b'{"image": NaN}', b'{"image": [NaN]}', b'{"image": [Infinity]}', b'{"image": 1e999}',
    b'{"image": [1e999]}', b'{"\xff\xfe": [1]}', b'{"image": ["\xc3("]}', b'{"image": [1], "image": [2]}', b"[" * 100000,
    b'{"a":' * 5000, b'{"image": ' + b"[" * 200 + b"1" + b"]" * 200 + b"}", b'{"image": {"a": 1}}', b'{"image": "text"}',
    b'{"other": [1]}', b'{"image": []}', b'{"image": [[[[1]]]]}', b"\x00" * 1000, b"\x93NUMPY", b"\x93NUMPY\x01\x00\xff\xff",
    b"\x93NUMPY\x01\x00\x46\x00{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 99999999), }\n",
    b"\x93NUMPY\x01\x00\x3e\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }       \n", b"\x89PNG",
    b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0) + b"\0" * 4,
    b"\xff\xd8\xff", b"\xff\xd8\xff" + b"\xff" * 1000,
], ids=lambda body: body[:24].decode("latin-1"))
def test_broken_bodies_of_predict(server, body):
    status, _, answer = server.request("POST", "/predict", body)
    assert status in (400, 501), answer
    assert json.loads(answer)["code"] in ("usage", "invalid_input", "unsupported")


def test_every_truncation_of_files_is_refused(server, folder, image):
    npy = io.BytesIO()
    np.save(npy, image)
    photo = (folder / "photo.png").read_bytes()
    for data in (npy.getvalue(), photo):
        for length in sorted({*range(140), *range(140, len(data), 211)}):
            if length < len(data):
                status, _, answer = server.request("POST", "/predict", data[:length])
                assert status == 400, (length, answer)


def test_damaged_binary_requests(server, image):
    path = f"/v2/models/{server.name}/infer"
    header = json.dumps({"inputs": [{"name": "image", "datatype": "FP32", "shape": list(image.shape),
                                     "parameters": {"binary_data_size": image.nbytes}}]}).encode()
    body = header + image.tobytes()
    length = {"Inference-Header-Content-Length": str(len(header))}
    assert server.request("POST", path, body, length)[0] == 200
    for wrong in (body[:-1], body + b"x", header):
        assert server.request("POST", path, wrong, length)[0] == 400
    for wrong in ("-1", "x", "", "99999999999999999999", str(len(body) + 1), "1", "0"):
        assert server.request("POST", path, body, {"Inference-Header-Content-Length": wrong})[0] == 400
    rng = np.random.default_rng(0)
    for _ in range(200):
        mutated = bytearray(body)
        for at in rng.integers(0, len(header), 3):
            mutated[at] = rng.integers(0, 256)
        assert server.request("POST", path, bytes(mutated), length)[0] in (200, 400, 501)


def chunked(pieces):
    return b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces) + b"0\r\n\r\n"


POST = b"POST /predict HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def small(folder):
    """With tight limits."""
    with Server(folder / "classifier.onnx", "--max-body", "100000", "--timeout", "2", "--max-connections", "8") as running:
        yield running


@pytest.mark.parametrize("data, status", [
    (POST + b"Content-Length: 100001\r\n\r\n" + b"x" * 100001, 413),
    (POST + b"Content-Length: 99999999999999999999\r\n\r\n", 413),
    (POST + b"Content-Length: -5\r\n\r\n", 413),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunked([b"x" * 50000] * 3), 413),
    (POST + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
     + chunked([gzip.compress(b" " * 50_000_000)]), 413),
    (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    (POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx", 400),
    (POST + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", 400),
    (POST + b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 5\r\n\r\nhello", 415),
    (POST + b"Content-Length: 50\r\n\r\nshort", 408),
    (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 100_000 + b"\r\n", 431),
    (b"GET / HTTP/1.1\r\nX: " + b"y" * 10_000_000, 431),
    (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", 414),
    (b"GET /v2 HTTP/1.1\r\nRange: bytes=" + b"0-0," * 1500 + b"0-0\r\nConnection: close\r\n\r\n", 200),
    (b"GET / HTTP/9.9\r\n\r\n", 400), (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    (b"BREW /predict HTTP/1.1\r\n\r\n", 400), (b"\r\n\r\n", 400), (b"GET\r\n\r\n", 400),
    (b"GET /v2 HTTP/1.1\r\nHost: x", 408),
], ids=lambda value: str(value)[:40])
def test_broken_and_endless_requests(small, data, status):
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", small.port), timeout=15) as sock:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it was answered before all was sent
            sock.sendall(data)
        answer = received(sock)
    assert time.monotonic() - begin < 12
    lines = answer.split(b"\r\n")
    if answer:  # a reset may take the answer away
        assert lines[0].startswith(f"HTTP/1.1 {status} ".encode()), answer[:300]
    assert small.request("GET", "/v2")[0] == 200
    assert small.memory() < 400 << 20


def test_slow_clients_cost_their_places_only_for_a_while(small):
    idle = [socket.create_connection(("127.0.0.1", small.port)) for _ in range(8)]
    try:
        for sock in idle:
            sock.sendall(b"POST /predict HTTP/1.1\r\nContent-Length: 10\r\n")
        end = time.monotonic() + 5
        status = 0
        while time.monotonic() < end and status != 503:
            status, headers, body = small.request("GET", "/v2")
        assert status == 503 and headers["Retry-After"] == "1" and b"connections are taken" in body
        # A byte now and then does not keep the place.
        begin = time.monotonic()
        for _ in range(12):
            time.sleep(0.25)
            for sock in idle:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    sock.sendall(b"a")
        assert time.monotonic() - begin > 2
        assert small.request("GET", "/v2")[0] == 200
    finally:
        for sock in idle:
            sock.close()


def test_bodies_together_have_a_limit(folder):
    """Twenty clients hold back the last byte of nearly the largest body: what does not fit is turned away, and memory stays
    what it is said to be."""
    with Server(folder / "classifier.onnx", "--max-body", "10M", "--max-connections", "64", "--timeout", "20") as running:
        before = running.memory()
        body = b" " * 10_000_000
        holders = []
        try:
            for _ in range(20):
                sock = socket.create_connection(("127.0.0.1", running.port), timeout=10)
                holders.append(sock)
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    sock.sendall(POST + b"Content-Length: 10000001\r\n\r\n" + body)
            status, _, answer = running.request("POST", "/predict", body)
            assert status == 503 and b"memory for bodies" in answer
            assert running.memory() - before < 250 << 20
            assert running.request("GET", "/v2/health/ready")[0] == 200
        finally:
            for sock in holders:
                sock.close()
        time.sleep(0.5)
        assert running.request("POST", "/predict", body)[0] == 400  # there is room again


def test_a_client_that_does_not_read_is_left(small):
    with socket.create_connection(("127.0.0.1", small.port)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(3000):
            try:
                sock.settimeout(0.2)
                sock.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
            except OSError:
                break
        assert small.request("GET", "/v2")[0] == 200


def test_pipelined_requests_and_expect_continue(small):
    answer = small.raw(b"GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n" * 3 + b"GET /v2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200") == 4
    answer = small.raw(POST + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
    assert answer.startswith(b"HTTP/1.1 100 Continue") and b"HTTP/1.1 400" in answer
    # The body of a GET is not the next request.
    answer = small.raw(b"GET /v2 HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_memory_does_not_grow(small, folder, image):
    photo = (folder / "photo.png").read_bytes()
    body = json.dumps({"image": image.tolist()}).encode()

    def round_of_requests():
        for _ in range(100):
            small.request("POST", "/predict", body)
            small.request("POST", "/predict", photo)
            small.request("POST", "/predict", b"{" * 1000)
            small.raw(POST + b"Content-Length: 100001\r\n\r\n")
    round_of_requests()
    before = small.memory()
    for _ in range(3):
        round_of_requests()
    assert small.memory() - before < 8 << 20


def test_the_queue_has_an_end(folder):
    """One call at a time, four places: of many requests at once some are turned away, and all are answered."""
    with Server(folder / "rows.onnx", "--input", "x:[1..16]x6", "--max-concurrent-calls", "1", "--max-queue", "4",
                "--max-batch", "2", "--max-delay", "30") as running:
        body = json.dumps({"x": [[0.5] * 6] * 2}).encode()
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            statuses = list(pool.map(lambda _: running.request("POST", "/predict", body)[0], range(200)))
        assert set(statuses) <= {200, 503} and statuses.count(200) > 4
        assert running.metric("anemone_serve_refused_requests_total") == statuses.count(503)
        assert running.metric("anemone_serve_waiting_requests") == 0
