#!/usr/bin/env python3
"""Takes the pictures of README.md anew: the demo's report and the page of `anemone view`, in headless Chromium.

    .venv/bin/python tools/pictures.py     after ./dev build; needs playwright and Pillow (tests/requirements.txt)
"""

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "pictures"
BROWSER = next((path for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
                if (path := shutil.which(name))), None)
WIDTH = 1100


def save(png, name):
    """With few colors, as pages of text and boxes have: some tens of kB."""
    picture = Image.open(io.BytesIO(png)).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    picture.save(FOLDER / name, optimize=True)
    print(f"docs/pictures/{name}: {(FOLDER / name).stat().st_size} bytes")


def main():
    command = str(ROOT / "build/bin/anemone")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        models = Path(folder) / "models"
        subprocess.run([command, "demo", "--models-dir", models, "--models", "mobilenetv3_small", "--quiet"],
                       check=True, stdout=subprocess.DEVNULL)
        graph = models / "graph.html"
        subprocess.run([command, "view", models / "mobilenetv3_small_fp16.mlpackage", "-o", graph, "--quiet"], check=True)
        browser = playwright.chromium.launch(executable_path=BROWSER)
        for page, name, height in ((models / "report.html", "report.png", 620), (graph, "view.png", 620)):
            opened = browser.new_page(viewport={"width": WIDTH, "height": height}, color_scheme="light")
            opened.goto(page.as_uri())
            opened.wait_for_timeout(1500)
            save(opened.screenshot(), name)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
