"""The recipes of others' package managers: their syntax, and that they name what the build needs."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
FORMULA = ROOT / "packaging/homebrew/anemone.rb"
PORT = ROOT / "packaging/vcpkg/ports/anemone"
VERSION = re.search(r"project\(anemone VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
# What makes a build faster, or has a substitute, or serves tests and what the system has.
OPTIONAL = {"ccache", "prometheus-cpp", "node", "googletest", "google-benchmark"}
# vcpkg's names for Homebrew's.
VCPKG = {"jpeg-turbo": "libjpeg-turbo", "openssl@3": "openssl", "sqlite": "sqlite3"}
# What a port has from vcpkg itself, or opens at run time.
VCPKG_OWN = {"cmake", "ninja", "curl"}

# The parts of vcpkg's manifest that ours uses, as its documentation says.
MANIFEST = {
    "type": "object", "required": ["name", "version", "dependencies"], "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string"}, "name": {"pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
        "version": {"pattern": r"^\d+(\.\d+)*$"}, "description": {"type": "string"}, "license": {"type": "string"},
        "supports": {"type": "string"},
        "dependencies": {"type": "array", "items": {"oneOf": [
            {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
            {"type": "object", "required": ["name"], "additionalProperties": False,
             "properties": {"name": {"pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"}, "host": {"type": "boolean"}}}]}}}}


def needed():
    rows = (line.split() for line in (ROOT / "tools/packages/brew.txt").read_text().splitlines())
    return {row[1] for row in rows if row and row[0] == "build"} - OPTIONAL


def test_the_formula_names_what_the_build_needs():
    text = FORMULA.read_text()
    named = set(re.findall(r'(?:depends_on|uses_from_macos) "([^"]+)"', text))
    assert named == needed()
    # Every block is closed, as far as can be said without Ruby.
    opened = len(re.findall(r"^\s*(?:class|def)\b|\bdo$", text, re.MULTILINE))
    assert opened == len(re.findall(r"^\s*end$", text, re.MULTILINE))
    assert 'license "Apache-2.0"' in text


@pytest.mark.skipif(shutil.which("ruby") is None, reason="there is no Ruby")
def test_ruby_reads_the_formula():
    done = subprocess.run(["ruby", "-c", str(FORMULA)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_port_is_a_manifest_that_names_what_the_build_needs():
    manifest = json.loads((PORT / "vcpkg.json").read_text())
    Draft202012Validator(MANIFEST).validate(manifest)
    assert manifest["version"] == VERSION
    names = [each if isinstance(each, str) else each["name"] for each in manifest["dependencies"]]
    assert set(names) - {"vcpkg-cmake", "vcpkg-cmake-config"} == {VCPKG.get(name, name) for name in needed() - VCPKG_OWN}
    portfile = (PORT / "portfile.cmake").read_text()
    for option in re.findall(r"-D(ANEMONE_\w+)", portfile):
        assert f"option({option} " in (ROOT / "CMakeLists.txt").read_text()
    assert (PORT / "../../../.." / "LICENSE").resolve() == ROOT / "LICENSE"


def test_cmake_reads_the_portfile(tmp_path):
    """Every command that it calls is vcpkg's or CMake's: run with stand-ins that say what they were given."""
    calls = ["vcpkg_check_linkage", "vcpkg_cmake_configure", "vcpkg_cmake_install", "vcpkg_cmake_config_fixup",
             "vcpkg_copy_tools", "vcpkg_fixup_pkgconfig", "vcpkg_install_copyright"]
    script = tmp_path / "run.cmake"
    script.write_text("".join(f"function({name})\n  message(STATUS \"{name} ${{ARGN}}\")\nendfunction()\n" for name in calls)
                      + f'set(CURRENT_PACKAGES_DIR "{tmp_path}/packages")\ninclude("{PORT}/portfile.cmake")\n')
    done = subprocess.run(["cmake", "-P", str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()] == calls
    assert f"SOURCE_PATH;{ROOT};" in done.stdout


COMMAND = next(iter(sorted(ROOT.glob("build/portable/*/python*/anemone"))), None)
CHROOT = shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin")


@pytest.mark.skipif(COMMAND is None, reason="./dev wheel has not linked the portable command")
def test_the_portable_archive_has_all_but_the_c_library(tmp_path):
    """It runs where nothing else is: with the libraries of glibc alone, below another root when there is one to be had."""
    made = subprocess.run([sys.executable, str(ROOT / "tools/portable/archive.py"), str(tmp_path), "--command", str(COMMAND)],
                          capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert "glibc 2.27 or newer" in made.stdout
    root = tmp_path / "root"
    root.mkdir()
    with tarfile.open(next(tmp_path.glob("*-portable.tar.gz"))) as archive:
        archive.extractall(root, filter="data")
    program = next(root.glob("*/anemone"))
    top = program.parent
    assert {entry.name for entry in top.iterdir()} == {"anemone", "LICENSE", "NOTICE", "licenses"}
    assert len(list((top / "licenses").glob("*.txt"))) > 10
    linked = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout
    outside = [line for line in linked.splitlines() if "=>" in line]
    assert all(re.match(r"\s*lib(c|m|dl|pthread|rt)\.so", line) for line in outside), outside
    if os.geteuid() != 0 or CHROOT is None:
        return
    for path in re.findall(r"(/\S+)", "\n".join(outside) + next(line for line in linked.splitlines() if "ld-linux" in line)):
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for arguments in (["--version"], ["fetch", "--list"]):
        done = subprocess.run([CHROOT, str(root), f"/{program.relative_to(root)}", *arguments], capture_output=True, text=True,
                              env={"HOME": "/"})
        assert done.returncode == 0, done.stderr
        assert VERSION in done.stdout or "resnet50" in done.stdout + done.stderr


def test_what_a_portable_program_may_not_need(tmp_path):
    """The archive refuses a command that links what other systems lack: any program of this system that links libz will do."""
    candidates = [path for path in (shutil.which("cmake"), shutil.which("ccache"), shutil.which("curl"), shutil.which("git")) if path]
    for path in candidates:
        made = subprocess.run([sys.executable, str(ROOT / "tools/portable/archive.py"), str(tmp_path), "--command", path],
                              capture_output=True, text=True)
        if made.returncode != 0:
            assert "is not one that cmake/portable.cmake linked" in made.stderr
            return
    pytest.skip("there is no program that links more than glibc")
