#!/usr/bin/env python3
"""paths: every path of the tree that a document or a comment names exists"""

import fnmatch
import os
import re

from common import ROOT, comments, finish, includes, our_files, read

NAMES = our_files("")
FOLDERS = {"/".join(name.split("/")[:depth]) for name in NAMES for depth in range(1, name.count("/") + 1)}
TOPS = sorted({name.split("/")[0] for name in NAMES if "/" in name} | {
    "src", "tests", "tools", "docs", "bench", "models", "python", "include", "cmake"})
IN_TEXT = re.compile(r"(?<![\w./~<-])(?:\./)?((?:%s)/[\w./<>*{},+-]*)" % "|".join(map(re.escape, TOPS)))
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
# In comments, sources are named by their path below one of these, or by their file name alone.
BASES = ("src", "include", "tests", "tests/unit", "python")
SOURCE = re.compile(r"(?<![\w./<>*{}@-])((?:[\w-]+/)*[\w-]+\.(?:h|cc|mm|inc|mil|py|cmake|sh|md))(?![\w/*<]|\.\w)")
HOMES = {name for base in BASES for name in map(os.path.basename, FOLDERS) if f"{base}/{name}" in FOLDERS}
FILES = {os.path.basename(name) for name in NAMES}
# Files that exist outside the tree only: inside packages, in what other projects publish.
ELSEWHERE = {"model.mil", "MLModelError.h", "coreml_compute_plan.py", "multiarray.mm", "model.mm", "model_stub.cc",
             "script.py"}


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
    # NAME and similar words stand for any name.
    path = re.sub(r"(?<![A-Za-z])[A-Z]{2,}(?=[./]|$)", "*", path) if not os.path.exists(
        os.path.join(ROOT, path)) else path
    if any(path == entry or path.startswith(entry + "/") for entry in IGNORED):
        return True
    if "*" in path:
        return any(fnmatch.fnmatchcase(name, path) for name in NAMES) or any(
            fnmatch.fnmatchcase(folder, path) for folder in FOLDERS)
    return path in FOLDERS or os.path.exists(os.path.join(ROOT, path))


def source_exists(path, name, headers):
    """Whether a source that the comment of file `name` names exists; other projects' headers count."""
    if path in ELSEWHERE or path in headers:
        return True
    folder, _, file = path.rpartition("/")
    if re.search(r"(?<![A-Za-z])[A-Z]{2,}(?=[_.]|$)", file):  # PART_kernel.cc: any name
        return any(fnmatch.fnmatchcase(known, re.sub(r"[A-Z]{2,}", "*", file)) for known in FILES)
    if not folder:
        return file in FILES or any(header.endswith("/" + file) for header in headers)
    if folder.split("/")[0] not in HOMES:
        return True
    own = os.path.dirname(name)
    return any(f"{base}/{path}" in NAMES for base in (*BASES, own, os.path.dirname(own)))


IGNORED = ignored()
NAMES = set(NAMES)
sources = our_files(".h", ".cc", ".mm", ".m", ".inc", ".py", ".cmake", ".sh", "CMakeLists.txt", "layers.txt")
HEADERS = {header for name in sources for _, header in includes(name, "system")}


def missing_sources(name, text):
    return [path for path in SOURCE.findall(text)
            if path.split("/")[0] not in TOPS and not source_exists(path, name, HEADERS)]


documents = [name for name in our_files(".md") if "/" not in name or name.startswith("docs/")]
problems = []
for name in documents:
    for number, line in enumerate(read(name).splitlines(), 1):
        named = [match.rstrip(".,") for match in IN_TEXT.findall(line)]
        for target in LINK.findall(line):
            if not re.match(r"[a-z]+:", target):
                named.append(os.path.normpath(os.path.join(os.path.dirname(name), target)))
        problems += [f"{name}:{number}: there is no {path}" for path in missing_sources(name, line)]
        for path in named:
            for one in expand(path):
                if not exists(one):
                    problems.append(f"{name}:{number}: there is no {one}")
for name in sources:
    for number, text in comments(name):
        missing = [one for match in IN_TEXT.findall(text) for one in expand(match.rstrip(".,")) if not exists(one)]
        problems += [f"{name}:{number}: there is no {path}" for path in missing + missing_sources(name, text)]
finish(f"{len(documents)} documents, the comments of {len(sources)} sources", sorted(set(problems)))
