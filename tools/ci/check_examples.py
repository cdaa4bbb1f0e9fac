#!/usr/bin/env python3
"""Checks the YAML examples of docs/ci.md. Usage: check_examples.py [ANEMONE]

Each ```yaml block must parse; a workflow must have jobs with steps that run or use something, and needs
only jobs that exist. With the path of the anemone command, every flag that a step gives it must be one
that its help names. Exit code 1 and one line for each problem.
"""

import pathlib
import re
import shlex
import subprocess
import sys

import yaml

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "ci.md"


def check_workflow(workflow, problems):
    # YAML 1.1 reads the key `on` as true.
    if "on" not in workflow and True not in workflow:
        problems.append("the workflow has no 'on'")
    for name, job in workflow["jobs"].items():
        if "runs-on" not in job:
            problems.append(f"job {name}: no 'runs-on'")
        needs = job.get("needs", [])
        for needed in [needs] if isinstance(needs, str) else needs:
            if needed not in workflow["jobs"]:
                problems.append(f"job {name}: needs {needed}, which is not a job")
        if not job.get("steps"):
            problems.append(f"job {name}: no steps")


def steps_of(document):
    if isinstance(document, list):
        return document
    return [step for job in document["jobs"].values() for step in job.get("steps", [])]


def check_commands(script, command, problems):
    for line in script.splitlines():
        words = shlex.split(line.split("||")[0], comments=True)
        if not words or words[0] != "anemone" or command is None:
            continue
        text = subprocess.run([command, words[1], "--help"], capture_output=True, text=True).stdout
        known = set(re.findall(r"(?<![\w-])(--?[a-zA-Z][\w-]*)", text))
        for word in words[2:]:
            if word.startswith("-") and word.split("=")[0] not in known:
                problems.append(f"anemone {words[1]} has no {word}")


def main():
    command = sys.argv[1] if len(sys.argv) > 1 else None
    problems = []
    blocks = re.findall(r"^```yaml\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    if not blocks:
        problems.append("docs/ci.md has no yaml block")
    for number, block in enumerate(blocks, 1):
        try:
            document = yaml.safe_load(block)
        except yaml.YAMLError as error:
            problems.append(f"block {number}: {error}")
            continue
        if isinstance(document, dict):
            check_workflow(document, problems)
        for step in steps_of(document):
            if "run" not in step and "uses" not in step:
                problems.append(f"block {number}: a step neither runs nor uses anything")
            check_commands(str(step.get("run", "")), command, problems)
    for problem in problems:
        print(problem)
    print(f"{len(blocks)} examples, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
