#!/usr/bin/env python3
"""layers: each folder includes only what tools/lint/layers.txt allows"""

import os
import re

from common import ROOT, finish, includes, our_files


def to_regex(pattern):
    parts = re.split(r"(\*\*|\*)", pattern)
    return re.compile("".join({"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts))


def load():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "layers.txt")
    with open(path, encoding="utf-8") as file:
        for line in file:
            line = line.split("#")[0].strip()
            if line:
                files, _, allowed = line.partition(":")
                PATTERNS.append(files)
                yield to_regex(files), [
                    to_regex(entry if "*" in entry else entry + "/**") for entry in allowed.split()]


def own_folder(path):
    parts = path.split("/")
    if parts[0] == "ops" and len(parts) > 2:
        return "/".join(parts[:2]) + "/"
    return parts[0] + "/"


PATTERNS = []
RULES = list(load())
SOURCES = our_files(".h", ".cc", ".mm", ".inc")
FOLDERS = {name.split("/")[1] for name in our_files("") if name.startswith("src/")}
problems = []
checked = 0
for name in SOURCES:
    if not name.startswith("src/"):
        continue
    checked += 1
    path = name[len("src/"):]
    allowed = next((allowed for files, allowed in RULES if files.fullmatch(path)), None)
    if allowed is None:
        problems.append(f"{name}:1: no rule for this folder in tools/lint/layers.txt")
        continue
    for number, target in includes(name):
        if "/" not in target:
            problems.append(f'{name}:{number}: "{target}" must be named from src/, as "folder/{target}"')
            continue
        if target.startswith(("anemone/", own_folder(path))):
            continue
        # A header found outside src/ (a library's, with quotes) is not ours to judge.
        if target.split("/")[0] not in FOLDERS:
            continue
        if not any(entry.fullmatch(target) for entry in allowed):
            problems.append(f'{name}:{number}: may not include "{target}" (tools/lint/layers.txt)')
# The table itself, where it judges its own tree.
if os.path.exists(os.path.join(ROOT, "tools/lint/layers.txt")):
    paths = [name[len("src/"):] for name in our_files("") if name.startswith("src/")]
    problems += [f"tools/lint/layers.txt:1: no file matches {pattern}" for pattern, (files, _) in zip(PATTERNS, RULES)
                 if not any(files.fullmatch(path) for path in paths)]
finish(f"{checked} files", problems)
