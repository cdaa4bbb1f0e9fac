#!/usr/bin/env python3
"""tidy: clang-tidy-19 finds nothing (latest changes first, until ANEMONE_TIDY_UNTIL, seconds since 1970)

A file that passed is remembered under build/tidy by its text and that of all headers of ours that
it includes, so a second run only looks at what changed.
"""

import concurrent.futures
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

from common import ROOT, includes, read

BEGUN = time.time()
DEADLINE = float(os.environ.get("ANEMONE_TIDY_UNTIL", BEGUN + 600))
BUILD = os.path.join(ROOT, "build/release")
CACHE = os.path.join(ROOT, "build/tidy")
# g++'s warnings govern the build; clang's stricter reading of the same flags does not apply here.
QUIET = ["--extra-arg=-Wno-" + name for name in (
    "unknown-warning-option", "shadow", "deprecated-declarations")]
SEARCH = ("src", "include", "tests", ".")


def find_tool():
    for name in ("clang-tidy-19", "/opt/homebrew/opt/llvm@19/bin/clang-tidy",
                 "/usr/local/opt/llvm@19/bin/clang-tidy"):
        if shutil.which(name):
            return name
    sys.exit("clang-tidy-19 is missing: ./dev install lint")


def sources():
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as file:
        names = {os.path.relpath(entry["file"], ROOT) for entry in json.load(file)}
    # The doubles use Apple's names.
    return sorted(name for name in names if not name.startswith(("build/", "..", "tests/doubles/")))


def latest_first(names):
    """Uncommitted files, then by the last commit that touched them."""
    def git(*arguments):
        return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True,
                              check=False).stdout.splitlines()
    order = [line[3:] for line in git("status", "--porcelain", "-uall")]
    order += git("log", "-n", "500", "--format=", "--name-only")
    rank = {name: place for place, name in reversed(list(enumerate(order)))}
    return sorted(names, key=lambda name: (rank.get(name, len(order)), name))


@functools.lru_cache(maxsize=None)
def headers_of(name):
    found = set()
    for _, target in includes(name):
        for folder in (os.path.dirname(name), *SEARCH):
            path = os.path.normpath(os.path.join(folder, target))
            if os.path.isfile(os.path.join(ROOT, path)):
                found.add(path)
                break
    return frozenset(found)


def key(name):
    seen = {name}
    todo = [name]
    while todo:
        for header in headers_of(todo.pop()) - seen:
            seen.add(header)
            todo.append(header)
    digest = hashlib.sha256(read(".clang-tidy").encode())
    for path in sorted(seen):
        digest.update(path.encode() + b"\0" + read(path).encode() + b"\0")
    return digest.hexdigest()


def check(name):
    """Problems of one file, or None when there was no time left for it."""
    if time.time() > DEADLINE:
        return None
    result = subprocess.run(
        [TOOL, "-p", BUILD, "--quiet", *QUIET, name],
        cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        with open(os.path.join(CACHE, key(name)), "w", encoding="utf-8"):
            pass
        return []
    lines = [line.replace(ROOT + "/", "") for line in result.stdout.splitlines()
             if ": error: " in line or ": warning: " in line]
    return lines or [f"{name}:1: clang-tidy failed: {result.stderr.strip()[-500:]}"]


TOOL = find_tool()
os.makedirs(CACHE, exist_ok=True)
names = sources()
todo = [name for name in latest_first(names) if not os.path.exists(os.path.join(CACHE, key(name)))]
jobs = int(os.environ.get("ANEMONE_JOBS") or os.cpu_count() or 1)
with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
    results = list(pool.map(check, todo))
left = results.count(None)
problems = sorted({line for result in results if result for line in result})
for problem in problems:
    print(problem)
late = f", {left} not reached in {DEADLINE - BEGUN:.0f} s" if left else ""
print(f"{len(names)} files ({len(names) - len(todo)} known good{late}), {len(problems)} problems")
sys.exit(1 if problems else 0)
