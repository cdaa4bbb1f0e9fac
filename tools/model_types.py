#!/usr/bin/env python3
"""Prints docs/model-types.md from the table of model types (src/feature_models/model_types.inc).

    python3 tools/model_types.py            writes it, with the table of build/bin/anemone
    python3 tools/model_types.py --check    fails when it is not what would be written
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "model-types.md"
HEAD = """# Types of Core ML models

What a Core ML file may hold, and what becomes of each type here. **Read**: the file opens, and `anemone inspect` shows its
features and parameters. **Run**: `anemone run`, `anemone::FeatureModel` and Python's `anemone.FeatureModel` predict with it.
**Lift**: it becomes a MIL program, so that it is compiled, compressed, compared, placed and saved as an ML Program.
Updatable models of each type run as they are. Printed from `src/feature_models/model_types.inc` by
`python3 tools/model_types.py`; do not edit.

| type | read | run | lift | reason |
|---|---|---|---|---|
"""


def document(rows):
    yes = {True: "yes", False: "no"}
    lines = [f"| `{row['type']}` | {yes[row['read']]} | {yes[row['run']]} | {yes[row['lift']]} | {row['reason']} |\n"
             for row in rows]
    return HEAD + "".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--command", default=str(ROOT / "build" / "bin" / "anemone"))
    arguments = parser.parse_args()
    printed = subprocess.run([arguments.command, "options", "--model-types"], check=True, capture_output=True, text=True)
    text = document(json.loads(printed.stdout))
    if not arguments.check:
        DOCUMENT.write_text(text, encoding="utf-8")
    elif not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != text:
        sys.exit(f"{DOCUMENT.relative_to(ROOT)} is not what the table says; run python3 tools/model_types.py")


if __name__ == "__main__":
    main()
