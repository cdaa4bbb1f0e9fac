#!/usr/bin/env python3
"""Prints docs/options.md and python/anemone/__init__.pyi from the tables of options (src/options/).

    python3 tools/options.py            writes both, with the tables of build/bin/anemone
    python3 tools/options.py --check    fails when one of them is not what would be written
"""

import argparse
import ast
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "options.md"
PACKAGE = ROOT / "python" / "anemone" / "__init__.py"
TOOLS = PACKAGE.with_name("_tools.py")
FEATURE_MODEL = PACKAGE.with_name("_feature_model.py")
STUB = PACKAGE.with_suffix(".pyi")

DOCUMENT_HEAD = """# Options

Each option has one name: the key of a JSON object (also in the C interface), Python's keyword and the field of the C++
struct (`include/anemone/options.h`). The command's flag is that name with dashes. Printed from the tables in
`src/options/` by `python3 tools/options.py`; do not edit.
"""
STUB_HEAD = '''"""Types of the package. Printed from __init__.py and the tables in src/options/ by `python3 tools/options.py`; do not
edit."""

import os
from typing import Any, Callable, Dict, List, Literal, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ._errors import Error as Error

_Path = Union[str, "os.PathLike[str]"]
_Shape = Union[str, Sequence[Union[int, str]]]  # "1x[1..512]", or (1, "1..512")
Progress = Optional[Callable[[str, int, int], Any]]

__version__: str


class State:
    def __init__(self) -> None: ...
    def read(self, name: str) -> np.ndarray: ...
    def write(self, name: str, value: np.ndarray) -> None: ...
'''
TYPES = {"boolean": "bool", "integer": "int", "number": "float", "optional integer": "Optional[int]",
         "optional number": "Optional[float]", "text": "str",
         "path": "_Path", "object or path": "Union[Mapping[str, Any], _Path]", "texts": "Sequence[str]",
         "numbers": "Union[float, Sequence[float]]", "three numbers": "Sequence[float]", "shapes": "Mapping[str, _Shape]"}


def default_text(row):
    if row["default"] in ("", None) or row["may_be_absent"] and not row["default"]:
        return ""
    if isinstance(row["default"], list):
        return ", ".join(str(value) for value in row["default"])
    return json.dumps(row["default"]).strip('"') if row["default"] != {} else ""


def document(tables):
    lines = [DOCUMENT_HEAD]
    for name, rows in tables.items():
        lines += [f"\n## {name.replace('_', ' ').capitalize()}\n", "| option | flag | what it means | values | default | example |",
                  "|---|---|---|---|---|---|"]
        for row in rows:
            flag = f"`{row['flag']}`" + (f", `{row['environment']}`" if row["environment"] else "")
            default, example = default_text(row), row["example"]
            cells = [f"`{row['name']}`", flag, row["help"], row["rule"], f"`{default}`" if default else "",
                     f"`{example}`" if example else ""]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def annotation(row):
    if not row["choices"] or row["type"] == "texts":
        return TYPES[row["type"]]
    choices = [int(choice) for choice in row["choices"]] if row["type"] == "integer" else list(row["choices"])
    if row["may_be_absent"]:
        choices.insert(0, 0 if row["type"] == "integer" else "")
    return f"Literal[{', '.join(json.dumps(choice) for choice in choices)}]"


def parameter(row):
    default = row["default"]
    return f"{row['name']}: {annotation(row)} = {tuple(default) if isinstance(default, list) and default else default!r}"


def function(node, tables, indent):
    """The signature of a function; of one with @takes(...), with the options instead of **options."""
    taken = [argument.value for one in node.decorator_list
             if isinstance(one, ast.Call) and one.func.id == "takes" for argument in one.args]
    lines = [indent + "@property"] if any(isinstance(one, ast.Name) and one.id == "property"
                                           for one in node.decorator_list) else []
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else " -> None" if node.name == "__init__" else ""
    if not taken:
        return lines + [f"{indent}def {node.name}({ast.unparse(node.args)}){returns}: ..."]
    by_position = node.args.vararg is not None
    own = {one.arg for one in node.args.args + node.args.kwonlyargs}
    rows = {}
    for row in (row for table in taken for row in tables[table] if row["name"] not in own):
        rows.setdefault(row["name"], row)
    node.args.vararg = node.args.kwarg = None
    keyword_only, node.args.kwonlyargs = node.args.kwonlyargs, []
    keyword_defaults, node.args.kw_defaults = node.args.kw_defaults, []
    parts = [part for part in [ast.unparse(node.args)] if part]
    if not by_position:
        parts.append("*")
    for one, value in zip(keyword_only, keyword_defaults):
        parts.append(ast.unparse(one) + (f" = {ast.unparse(value)}" if value is not None else ""))
    parts += [parameter(row) for row in rows.values()]
    return lines + [f"{indent}def {node.name}("] + [f"{indent}    {part}," for part in parts] + [f"{indent}){returns}: ..."]


def stub(tables):
    lines = [STUB_HEAD]
    for node in [node for path in (PACKAGE, FEATURE_MODEL, TOOLS) for node in ast.parse(path.read_text()).body]:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            lines += ["", *function(node, tables, "")]
        elif isinstance(node, ast.ClassDef):
            bases = f"({', '.join(ast.unparse(base) for base in node.bases)})" if node.bases else ""
            lines += ["", f"class {node.name}{bases}:"]
            for item in node.body:
                if isinstance(item, ast.AnnAssign):
                    lines.append("    " + ast.unparse(item))
                elif isinstance(item, ast.FunctionDef) and (item.name == "__init__" or not item.name.startswith("_")):
                    lines += function(item, tables, "    ")
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--command", default=str(ROOT / "build" / "bin" / "anemone"))
    arguments = parser.parse_args()
    printed = subprocess.run([arguments.command, "options"], check=True, capture_output=True, text=True).stdout
    tables = {name: rows for name, rows in json.loads(printed).items() if isinstance(rows, list)}
    stale = []
    for path, text in ((DOCUMENT, document(tables)), (STUB, stub(tables))):
        if path.exists() and path.read_text() == text:
            continue
        if arguments.check:
            stale.append(str(path.relative_to(ROOT)))
        else:
            path.write_text(text)
    if stale:
        sys.exit(f"{', '.join(stale)}: not what the tables say; run python3 tools/options.py")


if __name__ == "__main__":
    main()
