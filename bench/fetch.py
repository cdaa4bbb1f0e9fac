#!/usr/bin/env python3
"""anemone fetch compared with curl: one large file from nginx on the loopback interface, in turn in one run.

  fetch.py [--size-mb 1000] [--rounds 5] [--tls]

Prints for each: wall time of every round, the median, MB/s, and the largest resident memory. anemone hashes what it
receives, so it is also compared with curl followed by sha256sum, which is what a script would do. Needs nginx, curl and
the built command (ANEMONE_COMMAND, or build/bin/anemone). Files are made in a temporary folder and removed.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python/tests"))
import servers  # noqa: E402

COMMAND = os.environ.get("ANEMONE_COMMAND", str(ROOT / "build/bin/anemone"))


def timed(command, environment):
    """Wall seconds and the largest resident set of the command and its children, in MiB."""
    started = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    if status != 0:
        sys.exit(f"{command[0]}: {error.decode()}")
    return seconds, usage.ru_maxrss / (1 if sys.platform == "darwin" else 1024) / (1024 if sys.platform == "darwin" else 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size-mb", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tls", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        (folder / "root").mkdir()
        block = os.urandom(1_000_000)
        with open(folder / "root/big.dat", "wb") as file:
            for _ in range(options.size_mb):
                file.write(block)
        server = servers.Nginx(folder, folder / "root")
        url = server.tls_url("big.dat") if options.tls else server.url("big.dat")
        out = folder / "out"
        cache = folder / "cache"
        environment = dict(os.environ, ANEMONE_CACHE_DIR=str(cache), CURL_CA_BUNDLE=str(folder / "ca.pem"))
        curl = ["curl", "-sS", "-o", str(out), url]
        contenders = {
            "curl": curl,
            "curl, then sha256sum": ["sh", "-c", f"curl -sS -o {out} {url} && sha256sum {out}"],
            "anemone fetch": [COMMAND, "fetch", url, "-q"],
        }
        times = {key: [] for key in contenders}
        memory = dict.fromkeys(contenders, 0.0)
        for _ in range(options.rounds):
            for key, command in contenders.items():
                out.unlink(missing_ok=True)
                shutil.rmtree(cache, ignore_errors=True)
                seconds, peak = timed(command, environment)
                times[key].append(seconds)
                memory[key] = max(memory[key], peak)
        server.stop()
    for key, seconds in times.items():
        median = statistics.median(seconds)
        rounds = " ".join(f"{value:.2f}" for value in seconds)
        print(f"{key:22} median {median:6.2f} s  {options.size_mb / median:7.0f} MB/s  peak {memory[key]:6.1f} MiB   ({rounds})")


if __name__ == "__main__":
    main()
