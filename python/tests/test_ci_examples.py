"""The CI examples of docs/ci.md parse, and name only flags that the command has (where it is built)."""

import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_ci_examples():
    command = shutil.which("anemone")
    script = [sys.executable, str(ROOT / "tools/ci/check_examples.py")]
    result = subprocess.run(script + ([command] if command else []), capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
