"""Web servers for the download tests, all on the loopback interface: nginx with ranges and TLS under a certificate
authority made for the test, and a server that misbehaves on purpose, one way for each path."""

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import threading
import time
from pathlib import Path


def free_port():
    with contextlib.closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for(port, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}")


def openssl(*arguments, cwd):
    subprocess.run(["openssl", *map(str, arguments)], cwd=cwd, check=True, capture_output=True)


def make_certificates(folder):
    """An authority (ca.pem) and a server certificate of it for localhost (server.pem, server.key)."""
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=Test authority", "-keyout", "ca.key", "-out", "ca.pem", cwd=folder)
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
            "-keyout", "server.key", "-out", "server.csr", cwd=folder)
    (folder / "server.ext").write_text("subjectAltName=DNS:localhost\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "server.ext", "-out", "server.pem", cwd=folder)


class Nginx:
    """Serves `root` at http (and https with make_certificates in `folder`); /slow/ at `rate` for each connection,
    /plain/ without ranges, /downgrade/ as a redirect to http."""

    def __init__(self, folder, root, rate="2m", tls=True):
        self.folder = Path(folder)
        self.root = Path(root)
        self.port = free_port()
        self.tls_port = free_port()
        self.log = self.folder / "access.log"
        if tls:
            make_certificates(self.folder)
        secure = f"""
          listen 127.0.0.1:{self.tls_port} ssl;
          ssl_certificate {self.folder}/server.pem;
          ssl_certificate_key {self.folder}/server.key;""" if tls else ""
        # The worker reads what the tests write below a folder that only they may enter.
        user = "user root;" if os.geteuid() == 0 else ""
        (self.folder / "nginx.conf").write_text(f"""
            {user}
            daemon off;
            worker_processes 1;
            pid {self.folder}/nginx.pid;
            error_log {self.folder}/error.log;
            events {{}}
            http {{
              log_format ranges '$status $request_uri $http_range $body_bytes_sent';
              access_log {self.log} ranges;
              client_body_temp_path {self.folder}/body;
              proxy_temp_path {self.folder}/proxy;
              fastcgi_temp_path {self.folder}/fastcgi;
              uwsgi_temp_path {self.folder}/uwsgi;
              scgi_temp_path {self.folder}/scgi;
              default_type application/octet-stream;
              sendfile on;
              server {{
                listen 127.0.0.1:{self.port};{secure}
                root {self.root};
                location /slow/ {{ alias {self.root}/; limit_rate {rate}; }}
                location /plain/ {{ alias {self.root}/; max_ranges 0; limit_rate {rate}; }}
                location /downgrade/ {{ return 302 http://127.0.0.1:{self.port}/small.dat; }}
              }}
            }}""")
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-c", f"{self.folder}/nginx.conf",
                                         "-p", str(self.folder)], stderr=subprocess.DEVNULL, start_new_session=True)
        wait_for(self.port)

    def kill(self):
        """Master and worker at once, in the middle of whatever they send."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)

    def url(self, path):
        return f"http://127.0.0.1:{self.port}/{path}"

    def tls_url(self, path, host="localhost"):
        return f"https://{host}:{self.tls_port}/{path}"

    def requests(self):
        """(status, path, range) of each request served so far."""
        rows = []
        for line in self.log.read_text().splitlines():
            status, path, range_, _ = line.split(" ", 3)
            rows.append((int(status), path, range_))
        return rows


class Request:
    """The view of a behavior: the path, the header, and the raw connection to answer on."""

    def __init__(self, path, header, connection):
        self.path, self.header, self.connection = path, header, connection

    @property
    def first_byte(self):
        range_ = self.header.get("range", "")
        return int(range_.removeprefix("bytes=").split("-")[0]) if range_ else None

    def send(self, status, header=(), body=b""):
        lines = [f"HTTP/1.1 {status} x", *(f"{key}: {value}" for key, value in dict(header).items())]
        lines.append("Connection: close")
        self.connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


class BadServer:
    """Calls behaviors[path](request, n), n counting the requests for that path from 0. `requests` lists them all."""

    def __init__(self, behaviors):
        self.behaviors = behaviors
        self.requests = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError):
                    line = self.rfile.readline().decode().split(" ")
                    if len(line) < 2:
                        return
                    header = {}
                    while (row := self.rfile.readline().decode().strip()):
                        key, _, value = row.partition(":")
                        header[key.lower()] = value.strip()
                    path = line[1]
                    count = sum(1 for request in outer.requests if request.path == path)
                    request = Request(path, header, self.connection)
                    outer.requests.append(request)
                    outer.behaviors[path](request, count)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def sha256(data):
    return hashlib.sha256(data).hexdigest()
