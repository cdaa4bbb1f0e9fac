#!/usr/bin/env python3
"""Doxygen's input filter: our plain comments are documentation, so that headers need no second way of writing them.

A comment in front of a declaration documents it ("//" becomes "///", "/*" becomes "/**"), one after it on its line too
("///<"); the first lines of a file document the file."""

import re
import sys

COMMENT = re.compile(r"^(\s*)//(?!/)( ?)(.*)$")
AFTER = re.compile(r"^(\s*[^\s/].*?)\s*//(?!/) ?(.*)$")
# C's: at the start of a line, and after a declaration.
BLOCK = re.compile(r"^(\s*)/\*(?!\*)(.*)$")
BLOCK_AFTER = re.compile(r"^(\s*[^\s/*].*?)\s*/\*(?!\*)(.*)$")
# A divider ("// --- The lab") and notes for linters document nothing.
DIVIDER = re.compile(r"^\s*// (---|NOLINT)")


def filtered(lines):
    first = True
    for line in lines:
        if DIVIDER.match(line) or "NOLINT" in line:
            yield line
        elif match := COMMENT.match(line):
            text = match[3]
            if first:
                yield "/// @file"
                first = False
            # Code in a comment stands four or more columns in.
            yield f"{match[1]}/// {match[2][1:]}{text}" if text else f"{match[1]}///"
        elif '"' not in line.split("//")[0] and (match := AFTER.match(line)):
            yield f"{match[1]}  ///< {match[2]}"
        elif match := BLOCK.match(line):
            if first:
                yield "/** @file"
                yield f" *{match[2]}"
                first = False
            else:
                yield f"{match[1]}/**{match[2]}"
        elif match := BLOCK_AFTER.match(line):
            yield f"{match[1]} /**<{match[2]}"
        else:
            first = False
            yield line


if __name__ == "__main__":
    sys.stdout.write("\n".join(filtered(open(sys.argv[1], encoding="utf-8").read().split("\n"))))
