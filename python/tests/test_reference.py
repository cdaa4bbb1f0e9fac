"""The printed reference is what the code says now, and leaves no command out."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_fetch import COMMAND

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")


def test_the_pages_are_current():
    done = subprocess.run([sys.executable, str(ROOT / "tools/reference.py"), "--check", "--command", str(COMMAND)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_command_of_the_help_has_its_options_there():
    page = (FOLDER / "commands.md").read_text(encoding="utf-8")
    printed = subprocess.run([str(COMMAND), "--help"], capture_output=True, text=True, check=True).stdout
    names = [line.split()[0] for line in printed.split("SUBCOMMANDS:" if "SUBCOMMANDS:" in printed else "Subcommands:")[1]
             .split("Exit codes")[0].splitlines() if line.startswith("  ") and not line.startswith("   ")]
    assert len(names) > 15
    for name in names:
        assert f"\n## anemone {name}\n" in page, name
        helped = subprocess.run([str(COMMAND), name, "--help"], capture_output=True, text=True, check=True).stdout
        section = page.split(f"\n## anemone {name}\n")[1].split("\n## ")[0]
        for word in {word.strip(",").split("{")[0] for line in helped.splitlines() for word in line.split()[:2] if word.startswith("--")}:
            if word not in ("--help", "--[no-]help"):
                assert word in section or word in page.split("\n## ")[0], (name, word)


def test_the_exit_codes_are_those_that_the_command_ends_with(tmp_path):
    page = (FOLDER / "exit-codes.md").read_text(encoding="utf-8")
    for arguments in (["inspect", "nothing.onnx"], ["compare", "nothing"], ["run", "mobilenetv3_small", "--weights", "seeded",
                                                                          "--random-inputs", "--backend", "abacus"]):
        done = subprocess.run([str(COMMAND), *arguments, "--json"], capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode
        if done.stdout:
            document = json.loads(done.stdout)
            assert f"| {done.returncode} | `{document['code']}` |" in page
