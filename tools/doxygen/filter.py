#!/usr/bin/env python3
"""Doxygen's input filter: our plain comments are documentation, so that headers need no second way of writing them.

A comment in front of a declaration documents it ("//" becomes "///", "/*" becomes "/**"), one after it on its line too
("///<"); the first lines of a file document the file. The fields of options.h get what docs/options.md, which is printed
from the tables of options, says of them."""

import re
import sys
from pathlib import Path

COMMENT = re.compile(r"^(\s*)//(?!/)( ?)(.*)$")
AFTER = re.compile(r"^(\s*[^\s/].*?)\s*//(?!/) ?(.*)$")
# C's: at the start of a line, and after a declaration.
BLOCK = re.compile(r"^(\s*)/\*(?!\*)(.*)$")
BLOCK_AFTER = re.compile(r"^(\s*[^\s/*].*?)\s*/\*(?!\*)(.*)$")
# A divider ("// --- The lab") and notes for linters document nothing.
DIVIDER = re.compile(r"^\s*// (---|NOLINT)")


# A field of options.h, and a row of docs/options.md.
STRUCT = re.compile(r"^struct (\w+)Options\b")
FIELD = re.compile(r"^  [\w:<>, ]+ (\w+)(?: = .*)?;$")
SECTION = re.compile(r"^## (.*)$")
ROW = re.compile(r"^\| `(\w+)` \| [^|]*\| (.*)$")
# The fields whose option is called otherwise.
RENAMED = {"deviation": "std", "list_weights": "weights"}
# Structs whose fields stand in the tables of those that have or inherit them.
SHARED = {"Preprocess": "Evaluate", "Model": "Run", "Download": "Fetch"}


def option_meanings():
    """What each option means, by its table ("CompressFile") and its name."""
    meanings, section = {}, ""
    for line in (Path(__file__).parents[2] / "docs" / "options.md").read_text(encoding="utf-8").split("\n"):
        if match := SECTION.match(line):
            section = match[1].title().replace(" ", "").replace("_", "")
        elif match := ROW.match(line):
            meaning, values = re.split(r" (?<!\\)\| ", match[2])[:2]
            meanings[section, match[1]] = f"{meaning} ({values})".replace("\\|", "|")
    return meanings


def documented(lines, meanings):
    """options.h with the meaning of each field in front of it."""
    table = ""
    for line in lines:
        if match := STRUCT.match(line):
            table = match[1]
        elif match := FIELD.match(line):
            name = RENAMED.get(match[1], match[1])
            if meaning := meanings.get((SHARED.get(table, table), name)):
                yield f"  /// {meaning}"
        yield line


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
    source = Path(sys.argv[1])
    text = filtered(source.read_text(encoding="utf-8").split("\n"))
    sys.stdout.write("\n".join(documented(text, option_meanings()) if source.name == "options.h" else text))
