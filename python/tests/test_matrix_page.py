"""The device matrix in a headless browser: layout, both color schemes, no script, no network, the keyboard."""

import os
import subprocess
from pathlib import Path

import pytest
from page import DESK, PHONE, Opened, contrasts
from run_records import write_pair

COMMAND = Path(os.environ.get("ANEMONE_COMMAND", Path(__file__).parents[2] / "build/bin/anemone"))

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """Four models on four machines that do not exist, every verdict but NOT MEASURED; one cell is empty."""
    folder = tmp_path_factory.mktemp("matrix")
    records = []
    for chip, slower in [("Fictional One", 1.0), ("Fictional Two", 1.4), ("Fictional Three Ultra Maximum", 1.9)]:
        for letter, model in zip("abcd", ["net", "a_model_with_quite_a_long_name_for_a_phone", "tiny", "other"]):
            if (chip, model) != ("Fictional Two", "other"):
                records += write_pair(folder, chip, model=model, letter=letter, coreml_ms=5 * slower, calls=700 if model ==
                                      "tiny" else 1000)
    records += write_pair(folder, "Fictional <b>Four</b>", ended=False)
    done = subprocess.run([str(COMMAND), "matrix", *map(str, records), "-o", str(folder / "site")], capture_output=True,
                          text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "site/index.html"


@pytest.mark.parametrize("viewport", [PHONE, DESK])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_and_is_silent(browser, index, viewport, scheme):
    with Opened(browser, index, viewport=viewport, color_scheme=scheme) as opened:
        assert opened.messages == []
        assert opened.requests == [index.as_uri()]
        # The page itself never scrolls sideways; wide tables do, in their own frame.
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        for details in opened.page.locator("details").all():
            details.evaluate("(part) => part.open = true")
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        found = contrasts(opened.page, ["h1", "p", "th", "tbody td .n", ".pass", ".fail", ".maybe", "summary", "li"])
        assert min(found) >= 4.5, found
        dark = opened.page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        assert dark == (scheme == "dark")


def test_every_machine_and_model_has_a_cell(browser, index):
    with Opened(browser, index, viewport=DESK) as opened:
        table = opened.page.locator("table").first
        assert table.locator("thead th").count() == 5
        rows = table.locator("tbody tr")
        assert rows.count() == 4
        assert "Fictional <b>Four</b>" in rows.nth(3).locator("th").inner_text()
        verdicts = {badge.inner_text() for badge in table.locator(".v").all()}
        assert verdicts == {"PASS", "FAIL", "INCONCLUSIVE"}
        assert rows.nth(1).locator("td").nth(3).inner_text() == ""
        assert opened.page.locator("script, link, img, iframe").count() == 0
        # Read aloud, a cell belongs to its machine and its model.
        assert table.locator("th[scope=row]").count() == 4
        assert table.locator("th[scope=col]").count() == 5


def test_the_keyboard_opens_what_a_cell_links_to(browser, index):
    with Opened(browser, index, viewport=DESK) as opened:
        link = opened.page.locator("tbody a").nth(2)
        target = link.get_attribute("href")
        for _ in range(40):
            opened.page.keyboard.press("Tab")
            if opened.page.evaluate("document.activeElement.getAttribute('href')") == target:
                break
        else:
            raise AssertionError("Tab never reaches the third cell")
        opened.page.keyboard.press("Enter")
        details = opened.page.locator(f"details:has({target})")
        opened.page.wait_for_function("(id) => document.querySelector(id).closest('details').open", arg=target)
        assert details.locator("tbody tr").count() == 9
        # A summary closes and opens with the keyboard too, and a wide table can be scrolled with it.
        summary = opened.page.locator("summary").first
        summary.focus()
        before = summary.evaluate("(part) => part.parentElement.open")
        opened.page.keyboard.press("Enter")
        assert summary.evaluate("(part) => part.parentElement.open") != before
        assert opened.page.locator(".scroll[tabindex='0']").count() == opened.page.locator(".scroll").count()
