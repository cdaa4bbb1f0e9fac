#!/usr/bin/env python3
"""paths: every path of the tree that a document names exists"""

import fnmatch
import os
import re

from common import ROOT, finish, our_files, read

NAMES = our_files("")
FOLDERS = {"/".join(name.split("/")[:depth]) for name in NAMES for depth in range(1, name.count("/") + 1)}
TOPS = sorted({name.split("/")[0] for name in NAMES if "/" in name} | {
    "src", "tests", "tools", "docs", "bench", "models", "python", "include", "cmake"})
IN_TEXT = re.compile(r"(?<![\w./~<-])(?:\./)?((?:%s)/[\w./<>*{},+-]*)" % "|".join(map(re.escape, TOPS)))
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def ignored():
    """What .gitignore names: made by a build or a run, so absent from the tree."""
    try:
        lines = read(".gitignore").splitlines()
    except FileNotFoundError:
        return []
    return [line.strip("/") for line in lines if line and not line.startswith("#")]


def expand(path):
    """a/{b,c} as two paths."""
    match = re.search(r"\{([^{}]*)\}", path)
    if not match:
        return [path]
    return [whole for part in match.group(1).split(",")
            for whole in expand(path[:match.start()] + part + path[match.end():])]


def exists(path):
    path = re.sub(r"<[^<>]*>", "*", path).rstrip("/")
    # NAME and the like stand for any name.
    path = re.sub(r"(?<![A-Za-z])[A-Z]{2,}(?=[./]|$)", "*", path) if not os.path.exists(
        os.path.join(ROOT, path)) else path
    if any(path == entry or path.startswith(entry + "/") for entry in IGNORED):
        return True
    if "*" in path:
        return any(fnmatch.fnmatchcase(name, path) for name in NAMES) or any(
            fnmatch.fnmatchcase(folder, path) for folder in FOLDERS)
    return path in FOLDERS or os.path.exists(os.path.join(ROOT, path))


IGNORED = ignored()
documents = [name for name in our_files(".md") if "/" not in name or name.startswith("docs/")]
problems = []
for name in documents:
    for number, line in enumerate(read(name).splitlines(), 1):
        named = [match.rstrip(".,") for match in IN_TEXT.findall(line)]
        for target in LINK.findall(line):
            if not re.match(r"[a-z]+:", target):
                named.append(os.path.normpath(os.path.join(os.path.dirname(name), target)))
        for path in named:
            for one in expand(path):
                if not exists(one):
                    problems.append(f"{name}:{number}: there is no {one}")
finish(f"{len(documents)} documents", sorted(set(problems)))
