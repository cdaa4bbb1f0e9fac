"""anemone fetch against servers that misbehave: each fault is a clear error, and nothing of it stays in the cache."""

import json
import shutil
import time

import pytest
import servers
from test_fetch import COMMAND, DATA, FAST, bad, box, needs_nginx, nginx, whole  # noqa: F401

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")


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
    assert "redirects endlessly" in box.refuse(server.url("/x"), *FAST)["message"]


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
    assert "429 (too many requests)" in message and "retry in 3600 s" in message


def test_server_errors_are_tried_again_others_are_not(bad, box):
    server = bad({"/busy": lambda request, n: whole(request) if n == 2 else request.send(503),
                  "/gone": lambda request, n: request.send(404),
                  "/closed": lambda request, n: request.send(403),
                  "/teapot": lambda request, n: request.send(204)})
    assert box.fetch(server.url("/busy"), *FAST)["failures_mended"] == 2
    shutil.rmtree(box.cache)
    assert "404" in box.refuse(server.url("/gone"), *FAST)["message"]
    assert "license" in box.refuse(server.url("/closed"), *FAST)["advice"]
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
    assert "bytes now but said" in box.refuse(server.url("/size"), *FAST)["message"]


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
