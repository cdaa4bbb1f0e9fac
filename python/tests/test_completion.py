"""What the command prints of itself for shells and the manual."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

COMMAND = Path(os.environ.get("ANEMONE_COMMAND", Path(__file__).parents[2] / "build/bin/anemone"))

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")


def printed(*arguments):
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("bash") / "anemone"
    path.write_text(printed("completion", "bash"))
    return path


def completed(script, *words):
    """What bash offers for the last word."""
    line = " ".join(f"'{word}'" for word in ("anemone", *words))
    code = f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _anemone; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    return subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True, timeout=60,
                          cwd=script.parent).stdout.split()


def test_bash_completes_commands_flags_values_and_files(script):
    assert completed(script, "conv") == ["convert"]
    assert completed(script, "cache", "") == ["ls", "clear"]
    assert completed(script, "gate", "--pol") == ["--policy"]
    assert completed(script, "convert", "--compute-precision", "") == ["float32", "float16"]
    assert completed(script, "--json", "bench", "--numerics", "float") == ["float32", "float16"]
    assert "--json" in completed(script, "run", "--")
    (script.parent / "model.onnx").touch()
    assert completed(script, "convert", "mod") == ["model.onnx"]


def test_hidden_commands_are_not_offered(script):
    assert "options" not in completed(script, "")
    assert "manual" not in completed(script, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_parse(shell, tmp_path):
    path = tmp_path / "script"
    path.write_text(printed("completion", shell))
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([program, "-n", path], check=True, timeout=60)


def test_fish_names_every_flag_of_the_help():
    script = printed("completion", "fish")
    for command in ("convert", "compress", "gate", "lab"):
        flags = set(re.findall(r"(?<![\w-])--([a-z][a-z0-9-]+)", "\n".join(
            line for line in printed(command, "--help").splitlines() if line.startswith("  -"))))
        lines = [line for line in script.splitlines() if f"__fish_seen_subcommand_from {command}'" in line]
        offered = set(re.findall(r" -l ([a-z0-9-]+)", "\n".join(lines)))
        everywhere = set(re.findall(r" -l ([a-z0-9-]+)", "\n".join(
            line for line in script.splitlines() if " -n " not in line)))
        assert flags and flags <= offered | everywhere


def test_the_manual_has_every_command_and_is_good_roff():
    page = printed("manual")
    listed = re.search(r"Subcommands:\n(.*)", printed("--help"), re.S)
    names = re.findall(r"^  ([a-z]+) ", listed.group(1), re.M)
    assert len(names) > 10
    for name in names:
        assert f".SS anemone {name}\n" in page
    assert "\\-\\-compute\\-precision" in page
    groff = shutil.which("groff")
    if groff:
        done = subprocess.run([groff, "-man", "-Tutf8", "-ww", "-z"], input=page, capture_output=True, text=True, timeout=60,
                              check=True)
        assert not done.stderr


def test_an_unknown_shell_is_refused():
    done = subprocess.run([COMMAND, "completion", "tcsh"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "bash" in done.stderr


@pytest.mark.parametrize("line, meant", [
    ("conver x.onnx", "'conver' is not a command; did you mean 'convert'?"),
    ("convert x.onnx --compute-precison float16",
     "'--compute-precison' is not an option; did you mean '--compute-precision'?"),
    ("--threads 2 cache clera", "'clera' is not a command; did you mean 'clear'?"),
    ("run resnet5", "did you mean 'resnet50'"),
    ("serve model.mlpackage --port 8080", "'--port' is not an option; see --address (HOST:PORT to listen at"),
    ("run nosuch", "`anemone fetch --list` has them"),
])
def test_misspelled_names_get_the_nearest_ones(line, meant):
    done = subprocess.run([COMMAND, *line.split()], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (2, 3)
    assert meant in done.stderr
    assert len(done.stderr.splitlines()) <= 3
