"""The page of `anemone serve` in a headless browser: a photograph and camera frames are classified, a fault is injected and
seen, no console messages, no request to anywhere else."""

import subprocess
import time

import numpy as np
import onnx
import pytest
from conftest import make_classifier
from page import BROWSER, DESK, PHONE, Opened, contrasts
from PIL import Image
from serving import COMMAND, Server, by_onnxruntime

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("page")
    onnx.save(make_classifier(), str(root / "classifier.onnx"))
    pixels = np.random.default_rng(5).integers(0, 256, (14, 14, 3), np.uint8)
    # The middle square of 0.875 of a side of 16 is 14: nothing is resized.
    Image.fromarray(np.pad(pixels, ((1, 1), (1, 1), (0, 0)))).save(root / "photo.png")
    mean, deviation = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
    image = ((pixels / np.float32(255) - mean) / deviation).transpose(2, 0, 1)[None].astype(np.float32)
    np.save(root / "probabilities.npy", by_onnxruntime(root / "classifier.onnx", image=image)["probabilities"])
    return root


@pytest.fixture(scope="module")
def server(folder):
    with Server(folder / "classifier.onnx", "--allow-fault-injection") as running:
        yield running


@pytest.fixture(scope="module")
def camera_browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if BROWSER is None:
        pytest.skip("there is no Chromium here")
    with playwright.sync_playwright() as api:
        opened = api.chromium.launch(executable_path=BROWSER, args=[
            "--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"])
        yield opened
        opened.close()


class OpenedHere(Opened):
    def text(self, selector):
        return self.page.inner_text(selector)

    def until(self, ready, seconds=20):
        """Playwright's own waiting evaluates text, which the page's policy forbids."""
        end = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < end, self.messages
            self.page.wait_for_timeout(20)


def test_a_photograph_and_a_fault(camera_browser, server, folder):
    with OpenedHere(camera_browser, server.url, viewport=DESK) as opened:
        page = opened.page
        page.set_input_files("#file", folder / "photo.png")
        page.wait_for_selector("#classes li")
        best = np.argsort(-np.load(folder / "probabilities.npy")[0], kind="stable")[:5]
        assert [name.inner_text() for name in page.query_selector_all("#classes .name")] == [f"class {i}" for i in best]
        scores = [float(score.inner_text()) for score in page.query_selector_all("#classes .score")]
        np.testing.assert_allclose(scores, np.load(folder / "probabilities.npy")[0][best], rtol=2e-3, atol=1e-3)
        assert opened.text("#backend") == "fault_injection" and opened.text("#fallbacks") == "0"
        assert opened.text("#latency").endswith(" ms") and opened.text("#circuit") == "closed"
        shown = [part.inner_text() for part in page.query_selector_all("#classes li")]
        page.click("#fault")
        opened.until(lambda: opened.text("#fallbacks") == "1")
        assert opened.text("#backend") == "cpu (runtime_error)" and opened.text("#requests") == "2"
        assert [part.inner_text() for part in page.query_selector_all("#classes li")] == shown
        assert server.metric("anemone_fallbacks_total", reason="runtime_error") >= 1
        assert opened.messages == []
        assert all(url.startswith((server.url, "blob:", "data:")) for url in opened.requests), opened.requests


def test_camera_frames_until_it_is_stopped(camera_browser, server):
    with OpenedHere(camera_browser, server.url, viewport=DESK, permissions=["camera"]) as opened:
        page = opened.page
        page.click("#camera")
        opened.until(lambda: int(opened.text("#requests")) >= 5)
        assert opened.text("#camera") == "Stop the camera" and page.is_visible("#video")
        page.click("#fault")
        opened.until(lambda: int(opened.text("#fallbacks")) >= 1)
        page.click("#camera")
        page.wait_for_timeout(500)
        seen = opened.text("#requests")
        page.wait_for_timeout(500)
        assert opened.text("#requests") == seen and not page.is_visible("#video")
        assert opened.messages == []


def test_a_file_that_is_no_image(camera_browser, server, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    with OpenedHere(camera_browser, server.url, viewport=DESK) as opened:
        opened.page.set_input_files("#file", tmp_path / "text.png")
        opened.page.wait_for_selector("#message:not([hidden])")
        assert "no image" in opened.text("#message")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_and_dark_mode(camera_browser, server, folder, scheme):
    with OpenedHere(camera_browser, server.url, viewport=PHONE, color_scheme=scheme) as opened:
        page = opened.page
        page.set_input_files("#file", folder / "photo.png")
        page.wait_for_selector("#classes li")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        for selector in ("#camera", "#fault", ".button"):
            assert page.query_selector(selector).bounding_box()["height"] >= 44
        for ratio in contrasts(page, ["#model", "#backend", "#report dt", "#classes .score", ".button", "#fault", "nav a",
                                      "#example"]):
            assert ratio >= 4.5
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(255, 255, 255)") == (scheme == "light")


def test_without_the_flag_there_is_no_such_button(camera_browser, folder):
    with Server(folder / "classifier.onnx") as running, OpenedHere(camera_browser, running.url, viewport=DESK) as opened:
        assert opened.page.is_visible("#camera") and not opened.page.is_visible("#fault")


def test_names_cannot_change_the_page(camera_browser, folder):
    """A label is text, whatever it holds."""
    (folder / "labels.txt").write_text("".join(f"<img src=x onerror=alert({i})></script>\n" for i in range(10)))
    subprocess.run([str(COMMAND), "convert", str(folder / "classifier.onnx"), "-o", str(folder / "labeled.mlpackage"),
                    "--labels", str(folder / "labels.txt"), "--probabilities-output", "probabilities"], check=True,
                   capture_output=True)
    with Server(folder / "labeled.mlpackage") as running, OpenedHere(camera_browser, running.url, viewport=DESK) as opened:
        opened.page.set_input_files("#file", folder / "photo.png")
        opened.page.wait_for_selector("#classes li")
        assert "<img src=x" in opened.text("#classes .name")
        assert opened.page.query_selector("#classes img") is None and opened.messages == []
