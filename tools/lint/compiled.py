"""Shared by the lints that hand each compiled source to a compiler: tidy and portable.

The files changed last come first, as many at once as there are cores, until a deadline; what was not reached is named. A
file that passed is remembered under build/ by its text and that of all headers of ours that it includes, so a second run
looks only at what changed.
"""

import concurrent.futures
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
import time

from common import ROOT, includes, read

BUILD = os.path.join(ROOT, "build/lint")
SEARCH = ("src", "include", "tests", ".")


# What CMake adds for a precompiled header: g++'s is of no use to clang, and without it a source that
# does not include what it uses is found.
PRECOMPILED = re.compile(r" -Winvalid-pch(?: -include \S*cmake_pch\.hxx)?")


def commands():
    """The compile commands of our sources without precompiled headers, by path relative to ROOT."""
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as file:
        entries = {os.path.relpath(entry["file"], ROOT): entry for entry in json.load(file)}
    for entry in entries.values():
        entry["command"] = PRECOMPILED.sub("", entry["command"])
    return {name: entry for name, entry in sorted(entries.items()) if not name.startswith(("build/", ".."))}


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


def key(name, settings):
    """What a verdict on the file depends on: `settings`, its text and its headers'."""
    seen = {name}
    todo = [name]
    while todo:
        for header in headers_of(todo.pop()) - seen:
            seen.add(header)
            todo.append(header)
    digest = hashlib.sha256(settings.encode())
    for path in sorted(seen):
        digest.update(path.encode() + b"\0" + read(path).encode() + b"\0")
    return digest.hexdigest()


def check_all(lint, names, check, settings, until):
    """Runs check(name), which returns its problems as lines, on all `names`; prints them, and exits.

    `settings` is the text of whatever else the verdicts depend on; `until` names the environment variable that holds the
    deadline in seconds since 1970 (ten minutes from now when it is not set).
    """
    begun = time.time()
    deadline = float(os.environ.get(until, begun + 600))
    cache = os.path.join(ROOT, "build", lint)
    os.makedirs(cache, exist_ok=True)
    keys = {name: os.path.join(cache, key(name, settings)) for name in names}
    todo = [name for name in latest_first(names) if not os.path.exists(keys[name])]

    def run(name):
        """Problems of one file, or None when there was no time left for it."""
        if time.time() > deadline:
            return None
        problems = check(name)
        if not problems:
            with open(keys[name], "w", encoding="utf-8"):
                pass
        return problems

    jobs = int(os.environ.get("ANEMONE_JOBS") or os.cpu_count() or 1)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(run, todo))
    late = [name for name, result in zip(todo, results) if result is None]
    problems = sorted({line for result in results if result for line in result})
    for problem in problems:
        print(problem)
    for name in late:
        print(f"not reached: {name}")
    note = f", {len(late)} not reached in {deadline - begun:.0f} s" if late else ""
    print(f"{len(names)} files ({len(names) - len(todo)} known good{note}), {len(problems)} problems")
    sys.exit(1 if problems else 0)
