#!/usr/bin/env python3
"""joined: no name of one file changes what another file means when the build joins them (cmake/unity.cmake)

Two rules for the sources of a folder that are compiled together. A name that one declares in an unnamed namespace does not
occur in another, unless both have the same alias. A name that two headers declare, one in a namespace around the other's,
means the same in each source whichever of its neighbors' headers come first.
"""

import collections
import functools
import itertools
import json
import os
import re
import shutil
import subprocess
import sys

from common import ROOT, finish, includes, our_files, read, without_comments_and_strings

UNNAMED = re.compile(r"(^|::)__anon[0-9a-f]*$")
NOT_LOOKED_UP = {"local", "parameter", "member", "enumerator", "namespace", "header", "macro"}
# What ctags takes for functions: the macros of googletest.
MACROS = re.compile(r"TEST|TEST_F|TEST_P|(MATCHER|INSTANTIATE|TYPED_TEST)\w*")
ALIASES = {"typedef", "name", "using", "alias"}
USES = re.compile(r"(?<![\w.:>])([A-Za-z_]\w*)(?!\w)")


def stands_alone(name):
    """Of the hot sources, those that keep_alone of cmake/unity.cmake finds."""
    return name.startswith("src/coreml/") or bool(re.search(r'^#include "hwy/', read(name), re.M))


def joined_groups():
    """The sources that are compiled together, as cmake/unity.cmake and cmake/options.cmake have it."""
    match = re.search(r'string\(JOIN "\|" ANEMONE_HOT_SOURCES\s+((?:"[^"]*"\s*)+)\)', read("cmake/options.cmake"))
    hot = re.compile("|".join(re.findall(r'"([^"]*)"', match.group(1))).replace("\\\\", "\\"))
    groups = collections.defaultdict(list)
    for name in our_files(".cc"):
        folder, file = os.path.split(name)
        if name.startswith("tests/unit/"):
            groups["/".join(name.split("/")[:3])].append(name)
            continue
        if not name.startswith("src/") or name == "src/cli/main.cc":
            continue
        if folder.startswith("src/ops/"):
            kind = re.search(r"(def|kernel|onnx|place|torch)\.cc$", file)
            if kind:
                groups[f"src/ops/*/{kind.group(1)}.cc"].append(name)
        elif not hot.search("/" + name):
            groups[folder].append(name)
        elif not stands_alone(name):
            groups[f"{folder}, hot"].append(name)
    return groups


def tags(names):
    command = [CTAGS, "--output-format=json", "--fields=+nKsS", "--kinds-C++=+lpxzLN", "--extras=-q", "--languages=C++",
               "-f", "-", *names]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    found = map(json.loads, lines)
    return [tag for tag in found if tag.get("_type") == "tag"]


@functools.lru_cache(maxsize=None)
def headers_of(name):
    """All headers of ours that a file includes, however deep."""
    found = set()
    for _, target in includes(name):
        path = next((path for path in (f"src/{target}", f"include/{target}") if os.path.isfile(os.path.join(ROOT, path))),
                    None)
        if path and path not in found:
            found |= {path} | headers_of(path)
    return frozenset(found)


def directives(text):
    """The namespaces that a source names by "using namespace": their names are found as if declared in anemone."""
    return {f"anemone::{name}" for name in re.findall(r"^using namespace ([\w:]+);", text, re.M)}


def namespace_of(text):
    match = re.search(r"^namespace (anemone[\w:]*)", text, re.M)
    return match.group(1) if match else ""


CTAGS = shutil.which("ctags-universal") or shutil.which("ctags")
if not CTAGS:
    sys.exit("universal-ctags is missing: ./dev install lint")
GROUPS = joined_groups()
SOURCES = [name for names in GROUPS.values() for name in names]
if not SOURCES:
    sys.exit("no source is joined: is ANEMONE_HOT_SOURCES in cmake/options.cmake still what this lint reads?")

unnamed = collections.defaultdict(dict)  # of each file: name, its tag
declared = collections.defaultdict(set)  # of each file: every name
for tag in tags(SOURCES):
    declared[tag["path"]].add(tag["name"])
    if MACROS.fullmatch(tag["name"]):
        continue
    if tag["kind"] not in NOT_LOOKED_UP and tag.get("scopeKind") == "namespace" and UNNAMED.search(tag.get("scope", "")):
        unnamed[tag["path"]][tag["name"]] = tag
# Of each name: the namespace and the header of each declaration at the level of a namespace.
in_headers = collections.defaultdict(set)
for tag in tags(our_files(".h")):
    if tag["kind"] not in NOT_LOOKED_UP and tag.get("scopeKind") == "namespace":
        in_headers[tag["name"]].add((tag["scope"], tag["path"]))

problems = []
for names in GROUPS.values():
    texts = {name: without_comments_and_strings(read(name)) for name in names}
    uses = {name: set(USES.findall(text)) for name, text in texts.items()}
    spaces = {name: namespace_of(text) for name, text in texts.items()}
    for one, other in itertools.permutations(names, 2):
        # A name of anemone::ops::conv cannot be seen in anemone::ops::pool.
        if not (spaces[other] + "::").startswith(spaces[one] + "::"):
            continue
        for name in sorted(unnamed[one].keys() & uses[other]):
            twin = unnamed[other].get(name)
            tag = unnamed[one][name]
            if twin is None and name in declared[other]:
                continue  # its own local or member hides it
            if twin and twin["kind"] in ALIASES and tag["kind"] in ALIASES:
                continue  # the compiler compares them
            problems.append(f"{one}:{tag['line']}: {other} is compiled with it and names '{name}' too: give one of them "
                            "another name")
    for name in names:
        directed = directives(texts[name])
        for word in uses[name] & in_headers.keys() - declared[name]:
            seen = {space for space, header in in_headers[word] if header in headers_of(name)}
            for space, header in sorted(in_headers[word]):
                inner = [outer for outer in seen
                         if space.startswith(("anemone" if outer in directed else outer) + "::") and space != outer]
                if not inner or space in seen or not (spaces[name] + "::").startswith(space + "::"):
                    continue
                by = [source for source in names if header in headers_of(source)]
                if by:
                    problems.append(f"{name}:1: '{word}' is that of {inner[0]}, but {by[0]}, compiled with it, brings that "
                                    f"of {space} ({header}): name it in full or include the header")
finish(f"{len(SOURCES)} files", problems)
