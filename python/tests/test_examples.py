"""The examples work as they stand, on a small model, and say what is true."""

import re
import subprocess
import sys
from pathlib import Path

import anemone
import onnx
import pytest
from conftest import make_network
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"

pytest.importorskip("matplotlib", reason="matplotlib is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("examples")
    onnx.save(make_network(), str(root / "network.onnx"))
    anemone.convert(root / "network.onnx", compute_precision="float16").save(root / "model.mlpackage")
    return root


def run(folder, name, *arguments):
    done = subprocess.run([sys.executable, str(EXAMPLES / name), str(folder / "model.mlpackage"), str(folder / f"{name}.png"),
                           *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    with Image.open(folder / f"{name}.png") as picture:
        assert min(picture.size) > 200
        low, high = picture.convert("L").getextrema()
        assert high - low > 100  # something is drawn
    return done.stdout.splitlines()


def test_compression_pareto(folder):
    rows = [re.fullmatch(r"(.+): (\d+) bytes, loss (\S+)", line) for line in run(folder, "compression_pareto.py", "--samples", "2")]
    assert len(rows) >= 2 and all(rows)
    sizes, losses = [int(row[2]) for row in rows], [float(row[3]) for row in rows]
    assert sizes == sorted(sizes) and losses == sorted(losses, reverse=True)
    assert sizes[0] < sizes[-1] / 1.5  # something was compressed


def test_latency_histogram(folder):
    lines = run(folder, "latency_histogram.py", "--threads", "1", "2", "--iterations", "50")
    for line in lines:
        median, tail = map(float, re.fullmatch(r"\d threads: median (\S+) ms, 99 % (\S+) ms", line).groups())
        assert 0 < median <= tail
    assert len(lines) == 2


def test_placement_map(folder):
    lines = run(folder, "placement_map.py", "--chip", "m1", "m4")
    operators = len(anemone.load(folder / "model.mlpackage").placement(chip="m1")["ops"])
    for chip, line in zip(("m1", "m4"), lines):
        assert line.startswith(f"{chip}: ")
        assert sum(map(int, re.findall(r"(\d+) on", line))) == operators


def test_each_example_is_named_and_nothing_else_is():
    named = set(re.findall(r"\]\(([\w/.]+)\)", (EXAMPLES / "README.md").read_text()))
    named = {name for name in named if not name.startswith("..")}
    there = {str(path.relative_to(EXAMPLES)) for kind in ("*.py", "cpp/*.cc") for path in EXAMPLES.glob(kind)}
    assert named == there
