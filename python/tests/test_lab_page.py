"""The lab's page in a headless browser: layout, interaction, no console messages, no network."""

import csv
import io
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import make_network
from page import DESK, PHONE, Opened, contrasts

COMMAND = Path(os.environ.get("ANEMONE_COMMAND", Path(__file__).parents[2] / "build/bin/anemone"))

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("page")
    onnx.save(make_network(), str(root / "classifier.onnx"))
    done = subprocess.run([str(COMMAND), "lab", str(root / "classifier.onnx"), "-o", str(root / "lab"), "--max-drop",
                           "20"], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return root / "lab"


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A lab whose variants learn from inputs that do not judge them."""
    root = tmp_path_factory.mktemp("learned")
    onnx.save(make_network(), str(root / "classifier.onnx"))
    (root / "inputs").mkdir()
    random = np.random.default_rng(0)
    for index in range(12):
        np.save(root / f"inputs/<{index:02}>.npy", random.normal(size=(1, 3, 14, 14)).astype(np.float32))
    done = subprocess.run([str(COMMAND), "lab", str(root / "classifier.onnx"), "-o", str(root / "lab"), "--images",
                           str(root / "inputs"), "--max-drop", "30"], capture_output=True, text=True, timeout=300,
                          check=False)
    assert done.returncode == 0, done.stderr
    return root / "lab"


def open_lab(browser, folder, **options):
    return Opened(browser, folder / "lab.html", ready="html[data-ready=true]", **options)


def test_which_samples_judged_and_which_taught(browser, learned):
    found = json.loads((learned / "lab.json").read_text())
    uses = [sample["use"] for sample in found["sample_list"]]
    assert (uses.count("evaluation"), uses.count("calibration")) == (9, 3)
    with open_lab(browser, learned, viewport=PHONE) as opened:
        page = opened.page
        facts = dict(zip(page.locator("#facts dt").all_inner_texts(), page.locator("#facts dd").all_inner_texts()))
        assert facts["Judged by"] == found["samples"] and facts["Learned from"] == found["calibration"]
        note = page.locator("#samples-note").inner_text()
        assert "judged by 9 samples" in note and "learn from 3" in note and "none of which judges" in note
        rows = page.locator("#samples-table tbody tr")
        assert rows.count() == 12
        assert rows.nth(0).locator("td").all_inner_texts() == ["<00>.npy", "not labeled", "judged by"]
        page.select_option("#samples-filter", "calibration")
        assert [row.split()[0] for row in rows.all_inner_texts()] == ["<02>.npy", "<06>.npy", "<10>.npy"]
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert opened.messages == []


def test_a_finger_hits_every_control(browser, folder):
    with open_lab(browser, folder, viewport=PHONE) as opened:
        small = opened.page.evaluate("""[...document.querySelectorAll('button, select, nav a')]
            .filter((part) => part.getBoundingClientRect().height < 24).map((part) => part.outerHTML)""")
        assert small == []
        # Wide tables move inside their own frame, and their head stays in sight.
        frame = opened.page.locator(".scroll").first
        assert frame.evaluate("(part) => part.scrollWidth > part.clientWidth")
        frame.evaluate("(part) => { part.scrollTop = 60; part.scrollLeft = 200; }")
        top = frame.evaluate("(part) => part.querySelector('th').getBoundingClientRect().top - part.getBoundingClientRect().top")
        assert abs(top) < 3


@pytest.mark.parametrize("viewport", [PHONE, DESK])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_and_is_silent(browser, folder, viewport, scheme):
    with open_lab(browser, folder, viewport=viewport, color_scheme=scheme) as opened:
        assert opened.messages == []
        assert opened.requests == [(folder / "lab.html").as_uri()]
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        # Text stands out from its ground: WCAG's contrast of 4.5 at least, in both schemes.
        contrast = contrasts(opened.page, ["h1", "#subtitle", "nav a", "dd", "#front-note", "td"])
        assert min(contrast) >= 4.5, contrast


def test_charts_are_drawn_and_described(browser, folder):
    with open_lab(browser, folder, viewport=DESK) as opened:
        if opened.page.evaluate("typeof Chart === 'undefined'"):
            pytest.skip("built without Chart.js: the page has tables only")
        for name in ("front", "tensors", "weights"):
            canvas = opened.page.locator(f"#{name}-chart")
            assert canvas.is_visible()
            assert canvas.get_attribute("aria-label")
            painted = canvas.evaluate("""(canvas) => canvas.getContext('2d')
              .getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value !== 0)""")
            assert painted, name


def test_sorting_and_filters(browser, folder):
    found = json.loads((folder / "lab.json").read_text())
    with open_lab(browser, folder, viewport=DESK) as opened:
        rows = opened.page.locator("#variants-table tbody tr")
        assert rows.count() == len(found["variants"])
        sizes = [variant["result"]["package_bytes"] for variant in found["variants"] if variant["result"]]
        opened.page.get_by_role("button", name="Package").click()
        first = rows.nth(0).locator("td").nth(1).inner_text()
        assert first == f"{min(sizes) / 1e6:.2f} MB"
        opened.page.get_by_role("button", name="Package").click()
        assert rows.nth(0).locator("td").nth(1).inner_text() == f"{max(sizes) / 1e6:.2f} MB"
        opened.page.select_option("#variants-filter", "pareto")
        assert rows.count() == sum(variant["pareto"] for variant in found["variants"])
        opened.page.select_option("#variants-filter", "within")
        assert rows.count() == sum(variant["verdict"] == "within" for variant in found["variants"])
        label = opened.page.locator("#front-chart").get_attribute("aria-label")
        opened.page.select_option("#front-y", "loss")
        assert opened.page.locator("#front-chart").get_attribute("aria-label") != label
        heat = opened.page.locator("#sensitivity-table tbody tr")
        assert heat.count() == len(found["sensitivity"])
        before = heat.nth(0).inner_text()
        opened.page.select_option("#sensitivity-what", "bytes")
        assert heat.nth(0).inner_text() != before
        assert opened.messages == []


def test_the_keyboard_reaches_everything(browser, folder):
    with open_lab(browser, folder, viewport=DESK) as opened:
        wanted = opened.page.evaluate("""[...document.querySelectorAll('a[href], button, select, canvas, .scroll')]
            .filter((part) => part.offsetParent !== null || part.className === 'skip').length""")
        reached = set()
        for _ in range(wanted + 5):
            opened.page.keyboard.press("Tab")
            reached.add(opened.page.evaluate("""(() => { const part = document.activeElement;
                return [...document.querySelectorAll('*')].indexOf(part); })()"""))
        assert len(reached) >= wanted
        opened.page.locator("#variants-table thead button").nth(8).focus()
        opened.page.keyboard.press("Enter")
        assert opened.page.locator("#variants-table thead th").nth(8).get_attribute("aria-sort") == "ascending"
        assert opened.page.evaluate("document.activeElement.tagName") == "BUTTON"
        # Charts change and files are saved without a mouse.
        label = opened.page.locator("#front-chart").get_attribute("aria-label")
        opened.page.locator("#front-x").focus()
        opened.page.keyboard.press("ArrowDown")
        assert opened.page.locator("#front-chart").get_attribute("aria-label") != label
        with opened.page.expect_download() as download:
            opened.page.locator("#export-json").focus()
            opened.page.keyboard.press("Space")
        assert download.value.suggested_filename == "lab.json"
        assert opened.page.locator("#status").inner_text() == "lab.json saved"


def test_exports(browser, folder):
    found = json.loads((folder / "lab.json").read_text())
    with open_lab(browser, folder, viewport=DESK) as opened:
        def saved(button):
            with opened.page.expect_download() as download:
                opened.page.locator(button).click()
            return Path(download.value.path()).read_text()

        assert json.loads(saved("#export-json")) == found
        variants = list(csv.DictReader(io.StringIO(saved("#export-variants"))))
        assert [row["name"] for row in variants] and len(variants) == len(found["variants"])
        sensitivity = list(csv.DictReader(io.StringIO(saved("#export-sensitivity"))))
        assert len(sensitivity) == sum(len(weight["forms"]) for weight in found["sensitivity"])
        measured = [variant for variant in found["variants"] if variant["result"]]
        tensors = list(csv.DictReader(io.StringIO(saved("#export-tensors"))))
        assert len(tensors) == sum(len(variant["result"]["tensors"]) for variant in measured)
        outputs = list(csv.DictReader(io.StringIO(saved("#export-outputs"))))
        assert len(outputs) == sum(len(variant["result"]["outputs"]) for variant in measured)
        assert float(outputs[0]["rmse"]) == measured[0]["result"]["outputs"][0]["rmse"]
        weights = list(csv.DictReader(io.StringIO(saved("#export-weights"))))
        assert [[int(count) for count in row["bins"].split()] for row in weights] == [w["bins"] for w in found["weights"]]
        half = list(csv.DictReader(io.StringIO(saved("#export-fidelity"))))
        assert [row["name"] for row in half] == [operator["name"] for operator in found["fidelity"]["operators"]]
        samples = list(csv.DictReader(io.StringIO(saved("#export-samples"))))
        assert [row["name"] for row in samples] == [sample["name"] for sample in found["sample_list"]]
