"""`anemone demo`: what it makes of the catalog models, what it prints, and what it says to type next."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
from page import BROWSER, DESK, PHONE, Opened

COMMAND = Path(os.environ.get("ANEMONE_COMMAND", Path(__file__).parents[2] / "build/bin/anemone"))
MODELS = ("fastvit_t8", "mobilenetv3_small", "resnet50")
LIMITS = {"fp32": (1e-4, 1e-5), "fp16": (1e-2, 1e-3), "int8": (5e-2, 5e-3)}

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder, and what the command printed, with a blank in the folder's name."""
    folder = tmp_path_factory.mktemp("demo") / "my models"
    done = subprocess.run([str(COMMAND), "demo", "--models-dir", str(folder), "--strict"], capture_output=True, text=True,
                          timeout=600)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder, done


def manifest(folder, name):
    return json.loads((folder / f"{name}.manifest.json").read_text())


def size(package):
    return sum(path.stat().st_size for path in package.rglob("*") if path.is_file())


@pytest.mark.parametrize("model", MODELS)
def test_every_shipped_variant_is_within_its_limits(demo, model):
    folder, _ = demo
    for precision, (l_inf, rmse) in LIMITS.items():
        found = manifest(folder, f"{model}_{precision}")
        assert found["precision"] == precision
        assert [output["output"] for output in found["parity"]] == ["logits", "probabilities"]
        for output in found["parity"]:
            absolute = output["judged"] == "absolute"
            assert output["l_inf" if absolute else "l_inf_relative"] <= l_inf == output["limit_l_inf"]
            assert output["rmse" if absolute else "rmse_relative"] <= rmse == output["limit_rmse"]
            assert output["passed"]


@pytest.mark.parametrize("model", MODELS)
def test_int8_is_small_and_has_a_scale_for_each_channel(demo, model):
    folder, _ = demo
    shipped, plain = folder / f"{model}_int8.mlpackage", folder / f"{model}_int8_per_tensor.mlpackage"
    assert size(shipped) <= 1.1 * size(plain)
    for package, single in ((shipped, False), (plain, True)):
        text = subprocess.run([str(COMMAND), "inspect", str(package), "--text"], capture_output=True, text=True).stdout
        scales = re.findall(r"constexpr_affine_dequantize\(.*?\bscale = ([^,]+),", text)
        assert scales
        for scale in scales:  # a number, or the name of a vector
            assert scale.startswith("fp16(") if single else f" {scale} = const()[val = tensor<fp16, [" in text, scale


@pytest.mark.parametrize("model", MODELS)
def test_seeded_logits_are_spread_and_not_saturated(demo, model):
    """What a trained classifier's are: an even guess would be 0.001, a saturated softmax 1."""
    folder, _ = demo
    out = folder / f"{model}_out"
    done = subprocess.run([str(COMMAND), "run", str(folder / f"{model}_fp32.mlpackage"), "--random-inputs", "--output-dir",
                           str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    logits, probabilities = np.load(out / "logits.npy"), np.load(out / "probabilities.npy")
    assert 0.5 < logits.std() < 4
    assert 0.005 < probabilities.max() < 0.99


def test_the_table_fits_a_terminal_and_names_every_variant(demo):
    _, done = demo
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert len([line for line in lines if re.match(r"  (fp32|fp16|int8) ", line)]) == 12
    assert len([line for line in lines if line.startswith("  int8 per tensor ")]) == 3
    # No shipped variant misses; of those for comparison the misses are named.
    for line in lines:
        if re.match(r"  (fp32|fp16|int8)  ", line):
            assert line.endswith("within")


def test_the_three_next_commands_work(demo):
    folder, done = demo
    lines = done.stderr.splitlines()
    commands = [shlex.split(line) for line in lines[lines.index("next:") + 1:] if line.startswith("  ")]
    assert [command[1] for command in commands] == ["view", "inspect", "bench"]
    for command in commands:
        made = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert made.returncode == 0, made.stderr
    assert list(folder.glob("*.html"))


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
@pytest.mark.parametrize("viewport", [PHONE, DESK])
def test_the_report_opens_as_a_file(browser, demo, viewport):
    folder, _ = demo
    report = folder / "report.html"
    with Opened(browser, report, viewport=viewport) as opened:
        assert opened.messages == []
        assert opened.requests == [report.as_uri()]
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        assert opened.page.locator("h2").all_inner_texts() == list(MODELS)
        assert opened.page.locator(".v").count() == 24
        assert opened.page.locator("script, link, img, iframe").count() == 0
