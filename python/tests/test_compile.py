"""anemone compile: what an app ships, from the command and from Python."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import anemone

ROOT = Path(__file__).resolve().parents[2]
COMMAND = Path(os.environ.get("ANEMONE_COMMAND", ROOT / "build/bin/anemone"))
PACKAGES = ROOT / "tests/fixtures/packages"
# Pairs of packages and what Apple's compiler made of them; not part of the project.
PAIRS = Path(os.environ.get("ANEMONE_COMPILED_PAIRS", ROOT.parent / "shared/mlmodelc"))

needs_command = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")


def run(*arguments, code=0):
    done = subprocess.run([str(COMMAND), *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    return done


@needs_command
@pytest.mark.skipif(not PAIRS.is_dir(), reason="no pairs of package and compiled model here")
def test_equals_apples_compiler():
    script = ROOT / "tests/oracle/compiled_pairs.py"
    done = subprocess.run([sys.executable, str(script), str(PAIRS), "--command", str(COMMAND)], capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == 0, done.stdout


@needs_command
def test_the_document_says_what_was_written(tmp_path):
    output = tmp_path / "small.mlmodelc"
    document = json.loads(run("compile", PACKAGES / "convolution_spec8.mlpackage", "-o", output, "--json").stdout)
    assert document["schema"] == "anemone.compile"
    assert document["specification_version"] == 8
    assert {file["path"]: file["bytes"] for file in document["files"]} == {
        str(path.relative_to(output)): path.stat().st_size for path in output.rglob("*") if path.is_file()}
    assert document["size_bytes"] == sum(file["bytes"] for file in document["files"])
    assert document["coremlc"] is None and len(document["checked"]) == 2
    # No public file shows the version of the compiled format at specification version 8.
    assert any("coremldata.bin" in line for line in document["unconfirmed"])


@needs_command
def test_an_onnx_file_is_compiled_and_runs_the_same(classifier, image, tmp_path):
    run("compile", classifier, "-o", tmp_path / "c.mlmodelc")
    want = anemone.convert(str(classifier)).predict({"image": image})
    got = anemone.load(str(tmp_path / "c.mlmodelc")).predict({"image": image})
    assert sorted(want) == sorted(got)
    run("compare", classifier, tmp_path / "c.mlmodelc")


@needs_command
@pytest.mark.parametrize("package, words", [("while_loop", "control flow"), ("state", "states"),
                                            ("classifier_strings", "a classifier"), ("int4_spec9", "iOS18's form")])
def test_what_is_not_known_is_refused_by_name(package, words, tmp_path):
    done = run("compile", PACKAGES / f"{package}.mlpackage", "-o", tmp_path / "x.mlmodelc", code=3)
    assert words in done.stderr and "coremlc" in done.stderr
    assert not list(tmp_path.iterdir())


@needs_command
def test_the_output_must_be_a_compiled_model(tmp_path):
    assert "name an .mlmodelc" in run("compile", PACKAGES / "array_range.mlpackage", "-o", tmp_path / "x.zip",
                                      code=2).stderr
    (tmp_path / "mine.mlmodelc").mkdir()
    (tmp_path / "mine.mlmodelc/notes.txt").write_text("kept")
    run("compile", PACKAGES / "array_range.mlpackage", "-o", tmp_path / "mine.mlmodelc", code=2)
    assert (tmp_path / "mine.mlmodelc/notes.txt").read_text() == "kept"


def test_python_compiles_and_reads_back(tmp_path):
    package = PACKAGES / "convolution_spec7.mlpackage"
    document = anemone.compile(package, tmp_path / "m.mlmodelc")
    assert document["output"] == str(tmp_path / "m.mlmodelc")
    before, after = anemone.load(str(package)), anemone.load(document["output"])
    inputs = {feature.name: np.random.default_rng(0).random(feature.shape, np.float32) for feature in before.inputs}
    want, got = before.predict(inputs), after.predict(inputs)
    assert sorted(want) == sorted(got)
    for name, values in want.items():
        np.testing.assert_array_equal(values, got[name])
    with pytest.raises(anemone.Error, match="no public compiled model"):
        anemone.compile(PACKAGES / "state.mlpackage", tmp_path / "s.mlmodelc")


# Stands for Apple's compiler: what it would write lies beside it.
STAND_IN = """#!/bin/sh
test "$1" = compile && test -e "$2" && cp -R "{theirs}" "$3/"
"""


def stand_in_compiler(folder, theirs):
    program = folder / "coremlc"
    program.write_text(STAND_IN.format(theirs=theirs))
    program.chmod(0o755)
    return program


@needs_command
def test_the_output_is_compared_with_apples_compiler(tmp_path):
    package = PACKAGES / "convolution_spec8.mlpackage"
    theirs = tmp_path / "theirs.mlmodelc"
    run("compile", package, "-o", theirs)
    # As another release of the compiler would name itself.
    text = (theirs / "model.mil").read_text()
    (theirs / "model.mil").write_text(text.replace("3500.32.1", "9999.1"))
    program = stand_in_compiler(tmp_path, theirs)
    ask = ("compile", package, "-o", tmp_path / "ours.mlmodelc", "--coremlc", program, "--json")
    assert json.loads(run(*ask).stdout)["coremlc"] == {"program": str(program), "equal": True, "differences": []}

    (theirs / "model.mil").write_text(text.replace("conv(", "conw("))
    metadata = json.loads((theirs / "metadata.json").read_text())
    metadata[0]["specificationVersion"] = 99
    (theirs / "metadata.json").write_text(json.dumps(metadata))
    (theirs / "extra.bin").write_bytes(b"x")
    asked = json.loads(run(*ask, code=1).stdout)["coremlc"]
    assert not asked["equal"] and len(asked["differences"]) == 3
    for text in ("model.mil: line", "metadata.json[0].specificationVersion: theirs is '99'", "extra.bin is only in theirs"):
        assert any(text in line for line in asked["differences"]), asked


@needs_command
def test_a_compiler_that_fails_is_said(tmp_path):
    program = tmp_path / "coremlc"
    program.write_text("#!/bin/sh\necho 'model cannot be compiled' >&2\nexit 3\n")
    program.chmod(0o755)
    done = run("compile", PACKAGES / "convolution_spec8.mlpackage", "-o", tmp_path / "a.mlmodelc", "--coremlc", program,
               code=4)
    assert "exited with 3" in done.stderr and "model cannot be compiled" in done.stderr
