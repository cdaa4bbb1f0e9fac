"""How fluid the page of `anemone view` is: frames a second while a graph of 5,000 operators is dragged, and how long it
takes to open and to unfold, in a headless browser that draws without a graphics card.

    python3 bench/view.py [OPERATORS]

needs playwright and chromium-headless-shell (tests/requirements.txt).
"""

import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "python/tests"))

from page import BROWSER, DESK, Opened  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

DRAG = """(seconds) => new Promise((done) => {
  const canvas = document.querySelector("canvas"), begin = performance.now();
  let frames = 0;
  const at = (type, x, y) => canvas.dispatchEvent(new PointerEvent(type, {pointerId: 1, clientX: x, clientY: y, bubbles: true}));
  at("pointerdown", 400, 400);
  const tick = () => {
    ++frames;
    at("pointermove", 400 + Math.sin(frames / 9) * 60, 400 - frames * 8);
    const passed = (performance.now() - begin) / 1000;
    if (passed < seconds) requestAnimationFrame(tick); else done(frames / passed);
  };
  requestAnimationFrame(tick);
})"""
ZOOM = """(seconds) => new Promise((done) => {
  const canvas = document.querySelector("canvas"), begin = performance.now();
  let frames = 0;
  const tick = () => {
    ++frames;
    canvas.dispatchEvent(new WheelEvent("wheel", {deltaY: 60 * Math.sin(frames / 20), clientX: 400, clientY: 400, bubbles: true}));
    const passed = (performance.now() - begin) / 1000;
    if (passed < seconds) requestAnimationFrame(tick); else done(frames / passed);
  };
  requestAnimationFrame(tick);
})"""


def network(operators):
    lines, last = [], "x"
    for i in range(operators):
        lines.append(f"  b{i} = relu(x = {last});")
        last = f"b{i}"
    return "func main<ios17>(tensor<fp32, [1, 8]> x) {\n" + "\n".join(lines) + f"\n}} -> ({last});\n"


def main():
    operators = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "large.mil").write_text(network(operators))
    begin = time.monotonic()
    subprocess.run([ROOT / "build/bin/anemone", "view", folder / "large.mil", "-o", folder / "large.html"], check=True)
    print(f"written in {time.monotonic() - begin:.2f} s, {(folder / 'large.html').stat().st_size / 1e6:.1f} MB")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER)
        begin = time.monotonic()
        with Opened(browser, folder / "large.html", ready="html[data-ready=true]", viewport=DESK) as view:
            print(f"open in {time.monotonic() - begin:.2f} s")
            begin = time.monotonic()
            view.page.click("#unfold")
            print(f"all {operators} operators unfolded in {time.monotonic() - begin:.2f} s")
            print(f"dragged: {view.page.evaluate(DRAG, 3):.0f} frames a second")
            print(f"zoomed: {view.page.evaluate(ZOOM, 3):.0f} frames a second")


if __name__ == "__main__":
    main()
