#!/usr/bin/env python3
"""tidy: clang-tidy-19 finds nothing (latest changes first, until ANEMONE_TIDY_UNTIL, seconds since 1970)"""

import json
import os
import shutil
import subprocess
import sys

from common import ROOT, read
from compiled import check_all, commands

# g++'s warnings govern the build; clang's stricter reading of the same flags does not apply here.
QUIET = ["--extra-arg=-Wno-" + name for name in (
    "unknown-warning-option", "shadow", "deprecated-declarations")]


def find_tool():
    for name in ("clang-tidy-19", "/opt/homebrew/opt/llvm@19/bin/clang-tidy",
                 "/usr/local/opt/llvm@19/bin/clang-tidy"):
        if shutil.which(name):
            return name
    sys.exit("clang-tidy-19 is missing: ./dev install lint")


def check(name):
    result = subprocess.run(
        [TOOL, "-p", DATABASE, "--quiet", *QUIET, name],
        cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return []
    lines = [line.replace(ROOT + "/", "") for line in result.stdout.splitlines()
             if ": error: " in line or ": warning: " in line]
    return lines or [f"{name}:1: clang-tidy failed: {result.stderr.strip()[-500:]}"]


TOOL = find_tool()
# The doubles use Apple's names.
entries = commands()
names = [name for name in entries if not name.startswith("tests/doubles/")]
DATABASE = os.path.join(ROOT, "build/tidy")
os.makedirs(DATABASE, exist_ok=True)
with open(os.path.join(DATABASE, "compile_commands.json"), "w", encoding="utf-8") as file:
    json.dump(list(entries.values()), file)
check_all("tidy", names, check, read(".clang-tidy"), "ANEMONE_TIDY_UNTIL")
