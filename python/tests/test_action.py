"""action.yml: the step that other repositories use. Its scripts run here as a runner would run them."""

import json
import os
import re
import subprocess
from pathlib import Path

import onnx
import pytest
import yaml
from conftest import make_classifier
from test_fetch import COMMAND

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")

STRICT = {"schema": "anemone.gate_policy", "schema_version": 1, "name": "strict", "subject": {"backend": "cpu"},
          "run": {"inferences": 5, "min_duration_s": 0}}


class Runner:
    def __init__(self, folder):
        self.folder = folder
        for name in ("path", "output", "summary"):
            (folder / name).write_text("")

    def run(self, step, path=None, **inputs):
        given = {name: str(value.get("default", "")) for name, value in ACTION["inputs"].items()}
        given.update({name.replace("_", "-"): value for name, value in inputs.items()})
        environment = {**os.environ, "PATH": path or f"{COMMAND.parent}:{os.environ['PATH']}",
                       "GITHUB_ACTION_PATH": str(ROOT), "GITHUB_PATH": str(self.folder / "path"),
                       "GITHUB_OUTPUT": str(self.folder / "output"), "GITHUB_STEP_SUMMARY": str(self.folder / "summary")}
        for name, value in STEPS[step].get("env", {}).items():
            environment[name] = re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: given[match.group(1)], value)
            assert "${{" not in environment[name], "an expression that this test does not know"
        assert "${{" not in STEPS[step]["run"], "inputs reach scripts by the environment, never as text"
        # As GitHub starts "shell: bash".
        return subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[step]["run"]],
                              cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300, check=False)

    def read(self, name):
        return (self.folder / name).read_text()


@pytest.fixture
def runner(tmp_path):
    onnx.save(make_classifier(), tmp_path / "model.onnx")
    return Runner(tmp_path)


def write_policy(runner, **checks):
    (runner.folder / "policy.json").write_text(json.dumps({**STRICT, "checks": checks}))
    return "policy.json"


def test_a_model_that_passes(runner):
    policy = write_policy(runner, inferences={"required": True, "min_count": 5, "max_crashes": 0, "max_failures": 0})
    done = runner.run("Gate", model="model.onnx", policy=policy)
    assert done.returncode == 0, done.stderr
    assert runner.read("output") == "exit-code=0\n"
    assert "PASS" in runner.read("summary")


def test_a_model_that_fails_fails_the_step_and_says_why(runner):
    subprocess.run([COMMAND, "convert", "model.onnx", "-o", "model.mlpackage"], cwd=runner.folder, check=True)
    (runner.folder / "model.manifest.json").unlink()
    policy = write_policy(runner, files={"required": True})
    done = runner.run("Gate", model="model.mlpackage", policy=policy)
    assert done.returncode == 1, done.stdout + done.stderr
    assert runner.read("output") == "exit-code=1\n"
    assert "FAIL" in runner.read("summary") and "manifest" in runner.read("summary")


def test_what_cannot_be_tested_here_passes_only_when_accepted(runner):
    policy = str(ROOT / "gates/gate-c.json")
    refused = runner.run("Gate", model="model.onnx", policy=policy)
    accepted = runner.run("Gate", model="model.onnx", policy=policy, accept_untested="true", output="again")
    assert (refused.returncode, accepted.returncode) == (4, 0), refused.stdout + refused.stderr


def test_names_with_spaces_and_quotes_are_names(runner):
    (runner.folder / "model.onnx").rename(runner.folder / "my $(touch oops) model.onnx")
    policy = write_policy(runner, inferences={"required": True, "min_count": 5, "max_crashes": 0, "max_failures": 0})
    assert runner.run("Gate", model="my $(touch oops) model.onnx", policy=policy).returncode == 0
    assert not (runner.folder / "oops").exists()


def test_an_installed_command_is_used(runner):
    assert runner.run("Anemone").returncode == 0
    assert runner.read("path") == ""
