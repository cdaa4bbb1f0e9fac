#!/usr/bin/env python3
"""notice: NOTICE names each library that the build links, and no other; LICENSE is the text of Apache-2.0"""

import hashlib
import re

from common import finish, read

# Packages of the group "build" that make or test the product and leave nothing in it.
TOOLS = {"g++", "cmake", "ninja-build", "ccache", "mold", "protobuf-compiler", "libgtest-dev", "libgmock-dev", "libbenchmark-dev"}
APACHE = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"

linked = {line.split()[1] for line in read("tools/packages/debian.txt").splitlines()
          if line.split()[:1] == ["build"]} - TOOLS
# The binding's generator is a Python package; pyproject.toml pins it.
linked |= set(re.findall(r'"(nanobind)==', read("pyproject.toml")))
named = set(re.findall(r"^  (\S+) {2,}", read("NOTICE"), re.M))
problems = [f"NOTICE:1: {name} is linked (tools/packages/debian.txt), but not named" for name in sorted(linked - named)]
problems += [f"NOTICE:1: {name} is named, but not linked" for name in sorted(named - linked)]
if hashlib.sha256(read("LICENSE").encode()).hexdigest() != APACHE:
    problems.append("LICENSE:1: is not the text of the Apache License, Version 2.0")
finish(f"{len(linked)} libraries", problems)
