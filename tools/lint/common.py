"""Shared by the lint scripts: which files are ours, and how a lint reports.

Each lint is run as `SCRIPT [ROOT]`, prints one line per violation as "path:line: rule" and ends with
exit code 1 when there was any.
"""

import os
import re
import subprocess
import sys

ROOT = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../.."))


def our_files(*suffixes):
    """Paths relative to ROOT of the files that git tracks or would track, sorted."""
    if os.path.exists(os.path.join(ROOT, ".git")):
        command = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    else:
        names = [os.path.relpath(os.path.join(folder, name), ROOT)
                 for folder, _, files in os.walk(ROOT) for name in files]
        names = [name for name in names if not name.startswith(("build/", ".venv/"))]
    return sorted(name for name in set(names)
                  if name.endswith(suffixes) and os.path.isfile(os.path.join(ROOT, name)))


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)


def without_comments_and_strings(text):
    """C++ source with comments and literals blanked, line numbers kept. 1'000 is left alone."""
    def blank(match):
        if match.group(0)[0] == "'" and text[match.start() - 1:match.start()].isalnum():
            return match.group(0)
        return re.sub(r"[^\n]", " ", match.group(0))
    return _TOKEN.sub(blank, text)


_SCRIPT_COMMENT = re.compile(r'"""(.*?)"""|(?:(?<=\s)|^)#(?!include|import|pragma)([^\n]*)', re.S | re.M)


def comments(name):
    """(line number, text) of each line of each comment; docstrings count."""
    text = read(name)
    if name.endswith((".h", ".cc", ".mm", ".m", ".inc")):
        found = [(match.start(), match.group(0)) for match in _TOKEN.finditer(text)
                 if match.group(0).startswith(("//", "/*"))]
    else:
        found = [(match.start(), match.group(0)) for match in _SCRIPT_COMMENT.finditer(text)]
    for start, comment in found:
        first = text.count("\n", 0, start) + 1
        yield from enumerate(comment.split("\n"), first)


def includes(name, kind="ours"):
    """(line number, path) of each #include "path"; of <path> too when `kind` is "system"."""
    names = r'"([^"]+)"' if kind == "ours" else r'["<]([^">]+)[">]'
    for number, line in enumerate(read(name).splitlines(), 1):
        match = re.match(r"\s*#\s*(?:include|import)\s+" + names, line)
        if match:
            yield number, match.group(1)


def finish(checked, problems):
    for problem in problems:
        print(problem)
    print(f"{checked}, {len(problems)} problems")
    sys.exit(1 if problems else 0)
