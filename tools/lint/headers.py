#!/usr/bin/env python3
"""headers: start with their purpose, have #pragma once, keep heavy libraries inside their folder"""

import re

from common import finish, includes, our_files, read

# Slow to compile, or third-party types that would spread: fine in .cc files, and in a header that
# only its own folder includes.
HEAVY = re.compile(r'#\s*include\s*[<"](nlohmann/|google/protobuf/|hwy/|CLI/|openssl/|png\.h'
                   r'|jpeglib\.h|[\w/]+\.pb\.h)')

headers = [name for name in our_files(".h") if name.startswith(("src/", "include/"))]
problems = []
heavy = {}
for name in headers:
    text = read(name)
    # The C interface is C99: comments and a guard that every C compiler knows.
    is_c = name == "include/anemone/anemone.h"
    if not text.startswith("/*" if is_c else "//"):
        problems.append(f"{name}:1: a header starts with a comment on its purpose, ownership, threads")
    if "#pragma once" not in text and not is_c and not name.endswith("-inl.h"):
        problems.append(f"{name}:1: #pragma once is missing")
    match = HEAVY.search(text)
    if match:
        heavy[name] = match.group(1)
        if name.startswith("include/"):
            problems.append(f"{name}:1: a public header includes {match.group(1)}")

# A file that includes a heavy header is heavy.
changed = True
while changed:
    changed = False
    for name in headers:
        if name not in heavy:
            via = next((target for _, target in includes(name) if "src/" + target in heavy), None)
            if via:
                heavy[name] = via
                changed = True

for name in our_files(".h", ".cc", ".mm"):
    if not name.startswith("src/"):
        continue
    for number, target in includes(name):
        if "src/" + target in heavy and target.split("/")[0] != name.split("/")[1]:
            problems.append(f'{name}:{number}: "{target}" brings in {heavy["src/" + target]}: '
                            "keep that in .cc files, or in headers of one folder")
finish(f"{len(headers)} headers", problems)
