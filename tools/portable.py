#!/usr/bin/env python3
"""Makes one archive with the command and every library that it links but the C library's own, so that it runs on any
Linux whose glibc is not older than this machine's; says which glibc that is. Needs patchelf and objdump.

    python3 tools/portable.py dist     writes dist/anemone-VERSION-linux-ARCHITECTURE-portable.tar.gz
"""

import argparse
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# glibc's: they belong together and to the kernel, and each system has its own.
SYSTEM = re.compile(r"^(linux-vdso|ld-linux[\w-]*|libc|libm|libdl|librt|libpthread|libresolv|libutil)\.so")


def output(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


def libraries_of(program):
    """Name to path of what it links, directly or not, without the system's."""
    found = {}
    for line in output("ldd", program).splitlines():
        match = re.match(r"\s*(\S+) => (\S+)", line)
        if not match or SYSTEM.match(match[1]):
            continue
        if match[2] == "not":
            sys.exit(f"{program}: {match[1]} is not found")
        found[match[1]] = Path(match[2])
    return found


def glibc_of(files):
    """The newest version of glibc that one of the files asks for."""
    versions = {tuple(map(int, version.split("."))) for file in files
                for version in re.findall(r"GLIBC_([\d.]+)", output("objdump", "-T", file))}
    return ".".join(map(str, max(versions)))


def make(command, folder, patchelf):
    version = output(command, "--version").split()[1]
    name = f"anemone-{version}-linux-{platform.machine()}-portable"
    with tempfile.TemporaryDirectory() as temporary:
        top = Path(temporary) / name
        (top / "bin").mkdir(parents=True)
        (top / "lib").mkdir()
        program = top / "bin" / "anemone"
        shutil.copy(command, program)
        for library, path in libraries_of(command).items():
            shutil.copy(path, top / "lib" / library)
        files = [program, *sorted((top / "lib").iterdir())]
        for file in files:
            file.chmod(0o755)
            output(patchelf, "--set-rpath", "$ORIGIN/../lib" if file == program else "$ORIGIN", file)
            output("strip", "--strip-unneeded", file)
        for text in ("LICENSE", "NOTICE"):
            shutil.copy(ROOT / text, top)
        archive = Path(folder) / f"{name}.tar.gz"
        archive.parent.mkdir(parents=True, exist_ok=True)

        def plain(entry):
            entry.uid = entry.gid = entry.mtime = 0
            entry.uname = entry.gname = "root"
            return entry

        with tarfile.open(archive, "w:gz", compresslevel=6) as tar:
            tar.add(top, name, filter=plain)
        return archive, glibc_of(files), len(files) - 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--command", default=str(ROOT / "build/bin/anemone"))
    parser.add_argument("--patchelf", default=shutil.which("patchelf") or str(ROOT / "build/package-venv/bin/patchelf"))
    arguments = parser.parse_args()
    archive, glibc, count = make(Path(arguments.command).resolve(), arguments.folder, arguments.patchelf)
    print(f"{archive}: {archive.stat().st_size / 1e6:.1f} MB, {count} libraries inside, glibc {glibc} or newer")


if __name__ == "__main__":
    main()
