#!/usr/bin/env python3
"""Makes an archive of the command that cmake/portable.cmake linked: one program that needs glibc and nothing else, beside
the licenses of what is inside it. Says which glibc it needs.

    python3 tools/portable/archive.py dist --command build/portable/x86_64/build/anemone
"""

import argparse
import gzip
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

from licenses import write_licenses

ROOT = Path(__file__).resolve().parents[2]
# glibc's libraries, which belong together and to the kernel.
SYSTEM = re.compile(r"^(ld-linux[\w-]*|libc|libm|libdl|librt|libpthread|libresolv|libutil)\.so")
MACHINES = {"X86-64": "x86_64", "AArch64": "aarch64"}


def output(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


def needs(program):
    """The machine, the shared libraries, and the newest version of glibc that a program asks for."""
    text = output("readelf", "--wide", "--file-header", "--dynamic", "--version-info", program)
    machine = next(name for mark, name in MACHINES.items() if re.search(rf"Machine:.*{mark}", text))
    versions = [tuple(map(int, version.split("."))) for version in re.findall(r"Name: GLIBC_([\d.]+)", text)]
    return machine, re.findall(r"\(NEEDED\).*\[(.+)\]", text), ".".join(map(str, max(versions)))


def plain(entry):
    """The same bytes whoever makes it, and whenever."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = "root"
    return entry


def make(command, folder, version):
    machine, libraries, glibc = needs(command)
    others = [name for name in libraries if not SYSTEM.match(name)]
    if others:
        raise SystemExit(f"{command} needs {', '.join(others)}: it is not one that cmake/portable.cmake linked")
    name = f"anemone-{version}-linux-{machine}-portable"
    archive = Path(folder) / f"{name}.tar.gz"
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        write_licenses(Path(temporary))
        with archive.open("wb") as file, gzip.GzipFile("", "wb", 6, file, 0) as packed, \
                tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(command, f"{name}/anemone", filter=plain)
            for text in ("LICENSE", "NOTICE"):
                tar.add(ROOT / text, f"{name}/{text}", filter=plain)
            tar.add(temporary, f"{name}/licenses", filter=plain)
    print(f"{archive}: {archive.stat().st_size / 1e6:.1f} MB, glibc {glibc} or newer, {machine}")
    return archive


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--command", type=Path, required=True)
    arguments = parser.parse_args()
    version = re.search(r"project\(anemone VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
    make(arguments.command.resolve(), arguments.folder, version)


if __name__ == "__main__":
    main()
