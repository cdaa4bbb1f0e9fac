#!/usr/bin/env python3
"""Makes the changes that ARCHITECTURE.md counts, for real, and counts the files that they touch.

    python3 tools/changes/changes.py --check    the table says what the recipes touch, and their places are in the tree
    python3 tools/changes/changes.py            the same; then makes all of them in a copy of the tree, builds it, proves each

The copy is build/changes/tree; the compiler cache has what the changes do not touch. The table of ARCHITECTURE.md has the
rows `| change | files | which |`; in its last column names in backquotes, with {a,b} for several and NAME or <family> for
the dummy's own.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from recipes import CHANGES

ROOT = Path(__file__).resolve().parents[2]
TREE = ROOT / "build/changes/tree"
HEADING = "| change | files | which |"


def expand(path):
    """a/{b,c} as two paths."""
    match = re.search(r"\{([^{}]*)\}", path)
    if not match:
        return [path]
    return [whole for part in match.group(1).split(",")
            for whole in expand(path[:match.start()] + part + path[match.end():])]


def table():
    """Change to (count, pattern of each file) of the document."""
    lines = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()
    if HEADING not in lines:
        sys.exit(f"ARCHITECTURE.md:1: there is no table '{HEADING}'")
    rows = {}
    for line in lines[lines.index(HEADING) + 2:]:
        if not line.startswith("|"):
            break
        name, count, which = (cell.strip() for cell in line.strip("|").split("|"))
        rows[name] = int(count), [path for quoted in re.findall(r"`([^`]*)`", which) for path in expand(quoted)]
    return rows


def matches(pattern, path):
    """Whether the pattern of the document stands for the path; the dummy is called sample, or sample_ and more."""
    own = {"NAME": r"sample\w*", "<family>": "(sample|pool)"}
    regex = "".join(own.get(part, re.escape(part)) for part in re.split("(NAME|<family>)", pattern))
    return re.fullmatch(regex, path) is not None


def check_table():
    problems = []
    rows = table()
    for change in CHANGES:
        touched = change.touched()
        if change.name not in rows:
            problems.append(f"ARCHITECTURE.md: no row '{change.name}': it touches {len(touched)}: {', '.join(touched)}")
            continue
        count, patterns = rows.pop(change.name)
        if count != len(touched):
            problems.append(f"ARCHITECTURE.md: '{change.name}' says {count} files, but touches {len(touched)}")
        problems += [f"ARCHITECTURE.md: '{change.name}' does not name {path}" for path in touched
                     if not any(matches(pattern, path) for pattern in patterns)]
        problems += [f"ARCHITECTURE.md: '{change.name}' names {pattern}, which it does not touch" for pattern in patterns
                     if not any(matches(pattern, path) for path in touched)]
    problems += [f"ARCHITECTURE.md: the change '{name}' has no recipe in tools/changes/recipes.py" for name in rows]
    return problems


def apply(change, tree):
    """Makes the change in the tree; returns what does not fit."""
    problems = []
    for path, text in change.files.items():
        if (tree / path).exists():
            problems.append(f"{path}: is there already")
        elif tree != ROOT:
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text, encoding="utf-8")
    for path, anchor, text in change.edits:
        if not (tree / path).is_file():
            problems.append(f"{path}: is not there")
            continue
        whole = (tree / path).read_text(encoding="utf-8")
        if anchor is not None and whole.count(anchor + "\n") != 1:
            problems.append(f"{path}: '{anchor}' is there {whole.count(anchor)} times, not once")
        elif tree != ROOT:
            whole = whole + text if anchor is None else whole.replace(anchor + "\n", anchor + "\n" + text)
            (tree / path).write_text(whole, encoding="utf-8")
    return [f"tools/changes/recipes.py: '{change.name}': {problem}" for problem in problems]


def copy_tree():
    """The tracked files as they lie here, and new ones; the build folder of an earlier copy is kept."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            check=True, capture_output=True, text=True).stdout.split("\0")
    wanted = {name for name in listed if name and (ROOT / name).is_file()}
    if TREE.exists():
        for old in TREE.iterdir():
            if old.name != "build":
                shutil.rmtree(old) if old.is_dir() else old.unlink()
    for name in sorted(wanted):
        (TREE / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, TREE / name)


def run(command, **more):
    return subprocess.run(command, cwd=TREE, check=False, **more).returncode


def build(targets):
    jobs = os.environ.get("ANEMONE_JOBS") or str(os.cpu_count() or 1)
    return run(["cmake", "--preset", "release", "-DANEMONE_BENCH=OFF"], stdout=subprocess.DEVNULL) or run(
        ["cmake", "--build", "--preset", "release", "-j", jobs, "--target", "anemone", *targets])


def prove(change):
    environment = {**os.environ, "ANEMONE": str(TREE / "build/release/anemone"), "TESTS": str(TREE / "build/release")}
    return [f"'{change.name}': failed: {proof}" for proof in change.proofs
            if run(["bash", "-c", proof], env=environment, stdout=subprocess.DEVNULL)]


def finish(problems):
    for problem in problems:
        print(problem)
    print(f"{len(CHANGES)} changes, {len(problems)} problems")
    sys.exit(1 if problems else 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="build nothing")
    flags = parser.parse_args()
    problems = check_table()
    for change in CHANGES:
        problems += apply(change, ROOT)
    if flags.check or problems:
        finish(problems)
    copy_tree()
    for change in CHANGES:
        problems += apply(change, TREE)
    if problems or build(sorted({target for change in CHANGES for target in change.targets})):
        finish(problems or ["the tree with all changes does not build: see above"])
    for change in CHANGES:
        problems += prove(change)
        print(f"{change.name}: {len(change.touched())} files: {', '.join(change.touched())}")
    finish(problems)


if __name__ == "__main__":
    main()
