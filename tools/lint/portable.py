#!/usr/bin/env python3
"""portable: every source compiles with clang-19 and libc++ for aarch64, as on a Mac (until ANEMONE_PORTABLE_UNTIL)

This is as near to Xcode as one comes without a Mac: its compiler, its standard library, its processor, and our warnings
as errors. Objects are made, not only parsed: clang finds a SIMD function that is inlined where its instructions are not
enabled only when it makes code. They go through ccache where that is installed, so a fresh clone on a machine that has
seen these sources checks them all at once. Latest changes come first; the deadline is in seconds since 1970.
"""

import os
import shlex
import shutil
import subprocess
import sys

from common import ROOT
from compiled import check_all, commands

CLANG = {".c": "clang-19", ".m": "clang-19", ".cc": "clang++-19", ".mm": "clang++-19"}
CROSS = "/usr/aarch64-linux-gnu/include"
OBJECTS = os.path.join(ROOT, "build/portable/objects")


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def target_flags():
    """Flags that make clang compile for aarch64 against libc++, with the libraries' headers of this machine."""
    libcxx = os.path.normpath(os.path.join(output_of("clang++-19", "-print-resource-dir"), "../../../include/c++/v1"))
    if not os.path.isdir(libcxx) or not os.path.isdir(CROSS):
        sys.exit("libc++-19-dev or libc6-dev-arm64-cross is missing: ./dev install lint")
    # The C library's headers are the target's; those of the other libraries are alike on 64-bit systems.
    flags = ["--target=aarch64-linux-gnu", "-isystem", CROSS,
             "-idirafter", "/usr/include/" + output_of("gcc", "-print-multiarch")]
    return flags, ["-nostdinc++", "-isystem", libcxx]


def command_of(name, entry):
    words = shlex.split(entry["command"])[1:]
    at = words.index("-o")
    words[at + 1] = os.path.join(OBJECTS, name.replace("/", "~") + ".o")
    kind = os.path.splitext(name)[1]
    # libc++ wraps the headers of the C library, so it comes first.
    extra = (LIBCXX if kind in (".cc", ".mm") else []) + TARGET
    # Code that nobody runs is not optimized; the later flag wins.
    return [*LAUNCHER, CLANG[kind], *extra, *words, "-Wno-unknown-warning-option", "-O0"]


def check(name):
    entry = COMMANDS[name]
    command = command_of(name, entry)
    result = subprocess.run(command, cwd=entry["directory"], capture_output=True, text=True, check=False, env=ENVIRONMENT)
    if os.path.exists(command[command.index("-o") + 1]):
        os.remove(command[command.index("-o") + 1])
    if result.returncode == 0:
        return []
    lines = [os.path.relpath(os.path.join(entry["directory"], line), ROOT) if line.startswith("../") else
             line.replace(ROOT + "/", "") for line in result.stderr.splitlines()
             if ": error: " in line or ": fatal error: " in line]
    return lines or [f"{name}:1: clang failed: {result.stderr.strip()[-500:]}"]


if sys.platform == "darwin":
    print("0 files: the build itself is the check on a Mac, 0 problems")
    sys.exit(0)
if not shutil.which("clang++-19"):
    sys.exit("clang++-19 is missing: ./dev install lint")
TARGET, LIBCXX = target_flags()
LAUNCHER = [tool for tool in [shutil.which("ccache")] if tool]
ENVIRONMENT = {**os.environ, "CCACHE_BASEDIR": ROOT, "CCACHE_NOHASHDIR": "1"}
os.makedirs(OBJECTS, exist_ok=True)
COMMANDS = commands()
check_all("portable", list(COMMANDS), check, " ".join(TARGET + LIBCXX), "ANEMONE_PORTABLE_UNTIL")
