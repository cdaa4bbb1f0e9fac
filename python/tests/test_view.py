"""The page of `anemone view` in a headless browser: what it shows, how it is used, no console messages, no network."""

import json
import os
import subprocess
from pathlib import Path

import onnx
import pytest
from conftest import make_classifier
from page import BROWSER, DESK, PHONE, Opened, contrasts

COMMAND = Path(os.environ.get("ANEMONE_COMMAND", Path(__file__).parents[2] / "build/bin/anemone"))

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")


def run(*arguments, code=0):
    done = subprocess.run([str(COMMAND), *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stderr
    return done


def document(page):
    text = page.read_text()
    begin = text.index('id="view-data">') + len('id="view-data">')
    return json.loads(text[begin:text.index("</script>", begin)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("view")
    onnx.save(make_classifier(channels=16), str(root / "model.onnx"))
    run("convert", root / "model.onnx", "-o", root / "model.mlpackage")
    run("compress", root / "model.mlpackage", "-o", root / "small.mlpackage", "--dtype", "int8")
    run("view", root / "model.mlpackage", "-o", root / "model.html", "--float16", "--chip", "m1,m4")
    run("view", root / "model.mlpackage", "-o", root / "two.html", "--compare", root / "small.mlpackage")
    return root


def large(folder, operators):
    """A network as deep as asked, its names without blocks."""
    lines, last = [], "x"
    for i in range(operators):
        lines.append(f"  b{i} = relu(x = {last});")
        last = f"b{i}"
    path = folder / "large.mil"
    path.write_text("func main<ios17>(tensor<fp32, [1, 8]> x) {\n" + "\n".join(lines) + f"\n}} -> ({last});\n")
    return path


def test_compressed_weights_belong_to_the_operators_that_use_them(folder):
    whole, small = document(folder / "two.html")["models"]
    assert [op["type"] for op in small["operators"]] == [op["type"] for op in whole["operators"]]
    compressed = [op for op in small["operators"] if op["parameters"].get("weight", "").startswith("constexpr_")]
    assert compressed
    for op in compressed:
        assert any("int8" in weight["type"] for weight in op["weights"])


def test_the_document_is_the_graph(folder):
    model = document(folder / "model.html")["models"][0]
    inspected = json.loads(run("inspect", folder / "model.mlpackage", "--ops", "--placement", "--chip", "m4",
                               "--json").stdout)
    assert [op["name"] for op in model["operators"]] == [op["name"] for op in inspected["operators"]]
    made = set(model["inputs"])
    for op in model["operators"]:
        assert made.issuperset(op["inputs"]), op["name"]
        made.update(op["outputs"])
    assert made.issuperset(model["outputs"])
    assert [chip["chip"] for chip in model["chips"]] == ["m1", "m4"]
    for row in inspected["placement"][0]["ops"]:
        placed = model["chips"][1]["operators"][row["name"]]
        assert placed["preferred"] == row["preferred"]
        assert model["chips"][1]["verdicts"][placed["ane"]] == row["ane"]
    weights = {weight["name"] for op in model["operators"] for weight in op["weights"]}
    assert weights == set(model["histograms"])
    for histogram in model["histograms"].values():
        assert sum(histogram["bins"]) == histogram["elements"]
    risks = model["float16"]["operators"]
    assert set(risks) == {op["name"] for op in model["operators"]}
    assert all(0 <= risk["error"] < 0.01 for risk in risks.values())


def test_float16_is_measured_only_where_it_means_something(folder):
    assert "not asked for" in document(folder / "two.html")["models"][0]["float16"]["skipped"]
    run("convert", folder / "model.onnx", "-o", folder / "half.mlpackage", "--compute-precision", "float16")
    run("view", folder / "half.mlpackage", "-o", folder / "half.html", "--float16")
    assert "already" in document(folder / "half.html")["models"][0]["float16"]["skipped"]


def test_a_page_that_cannot_be_written_leaves_nothing(folder):
    refused = run("view", folder / "model.mlpackage", "-o", folder / "nowhere/model.html", code=3)
    assert "nowhere" in refused.stderr
    assert not (folder / "nowhere").exists()
    refused = run("view", folder / "missing.mlpackage", "-o", folder / "missing.html", code=3)
    assert not (folder / "missing.html").exists()


@pytest.fixture(scope="module")
def browser():
    if BROWSER is None:
        pytest.skip("no headless browser (chromium-headless-shell)")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=BROWSER)


def opened(browser, page, **options):
    return Opened(browser, page, ready="html[data-ready=true]", **options)


def drawn(page):
    """How many colors the first canvas shows."""
    page.wait_for_timeout(100)
    return page.evaluate("""() => { const c = document.querySelector("canvas");
      const copy = new OffscreenCanvas(c.width, c.height).getContext("2d", {willReadFrequently: true});
      copy.drawImage(c, 0, 0);
      const p = copy.getImageData(0, 0, c.width, c.height).data, seen = new Set();
      for (let i = 0; i < p.length; i += 64) seen.add((p[i] << 16) | (p[i + 1] << 8) | p[i + 2]); return seen.size; }""")


@pytest.mark.parametrize("options", [{"viewport": DESK}, {"viewport": PHONE, "has_touch": True},
                                     {"viewport": DESK, "color_scheme": "dark"}], ids=["desk", "phone", "dark"])
def test_it_opens_quietly(browser, folder, options):
    with opened(browser, folder / "model.html", **options) as view:
        assert drawn(view.page) > 3
        width, inner = view.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width <= inner, "the page is wider than the screen"
        assert min(contrasts(view.page, ["h1", "#legend", "#details th", "#details td", "#fit"])) >= 4.5
        assert view.messages == []
        assert view.requests == [(folder / "model.html").as_uri()]


def test_found_operators_are_shown_with_their_reasons(browser, folder):
    with opened(browser, folder / "model.html", viewport=DESK) as view:
        view.page.fill("#find", "softmax")
        assert view.page.locator("#found li").count() == 1
        view.page.press("#find", "Enter")
        text = view.page.inner_text("#details")
        assert "probabilities" in text and "float32 arithmetic" in text and "In half precision" in text
        view.page.fill("#find", "conv")
        view.page.press("#find", "Enter")
        assert view.page.locator("#details svg rect").count() == 32
        assert "conv" in view.page.evaluate("document.querySelector('#status').textContent")
        assert view.messages == []


def test_colors_follow_the_choice(browser, folder):
    def picture(page):
        page.wait_for_timeout(150)
        return page.evaluate("document.querySelector('canvas').toDataURL()")

    with opened(browser, folder / "model.html", viewport=DESK) as view:
        seen = set()
        for mode in ("unit", "time", "half", "type"):
            view.page.select_option("#color", mode)
            seen.add(picture(view.page))
        assert len(seen) == 4
        view.page.select_option("#color", "half")
        assert "measured on 2 seeded" in view.page.inner_text("#legend")


def test_the_keyboard_walks_along_the_edges(browser, folder):
    with opened(browser, folder / "model.html", viewport=DESK) as view:
        view.page.click("#unfold")
        view.page.focus("canvas")
        names = []
        for _ in range(5):
            view.page.keyboard.press("ArrowDown")
            names.append(view.page.inner_text("#details h2 >> nth=0"))
        operators = document(folder / "model.html")["models"][0]["operators"]
        by_name = {op["name"]: op for op in operators}
        for before, after in zip(names, names[1:]):
            assert set(by_name[before]["outputs"]) & set(by_name[after]["inputs"]), (before, after)
        view.page.keyboard.press("ArrowUp")
        assert view.page.inner_text("#details h2 >> nth=0") in names


def test_two_variants_stand_side_by_side(browser, folder):
    with opened(browser, folder / "two.html", viewport=DESK) as view:
        assert view.page.locator("canvas").count() == 2
        view.page.fill("#find", "linear")
        view.page.press("#find", "Enter")
        text = view.page.inner_text("#details")
        assert "In small" in text
        assert view.messages == []


def test_five_thousand_operators_open_fold_and_unfold(browser, folder):
    run("view", large(folder, 5000), "-o", folder / "large.html", "--chip", "m1")
    with opened(browser, folder / "large.html", viewport=DESK) as view:
        assert drawn(view.page) > 3
        view.page.click("#unfold")
        assert "unfolded" in view.page.evaluate("document.querySelector('#status').textContent")
        assert drawn(view.page) > 3
        view.page.fill("#find", "b4321")
        view.page.press("#find", "Enter")
        assert view.page.inner_text("#details h2 >> nth=0") == "b4321"
        view.page.click("#fold")
        assert view.messages == []
