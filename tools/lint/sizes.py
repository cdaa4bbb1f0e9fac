#!/usr/bin/env python3
"""sizes: no source file is longer than 600 lines, no tracked file larger than 256 KiB"""

import os

from common import ROOT, finish, our_files, read

MAX_LINES = 600
MAX_BYTES = 256 * 1024
SOURCES = (".h", ".cc", ".mm", ".m", ".py", ".sh", ".cmake", ".inc")

problems = []
names = our_files("")
for name in names:
    size = os.path.getsize(os.path.join(ROOT, name))
    if size > MAX_BYTES:
        problems.append(f"{name}:1: {size} bytes exceed {MAX_BYTES}: data is fetched or made, not tracked")
    elif name.endswith(SOURCES):
        lines = read(name).count("\n")
        if lines > MAX_LINES:
            problems.append(f"{name}:1: {lines} lines exceed {MAX_LINES}: one idea per file")
finish(f"{len(names)} files", problems)
