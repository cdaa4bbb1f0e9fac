"""Pages in a headless browser, for the tests of those that the command writes."""

import shutil

BROWSER = next((path for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
                if (path := shutil.which(name))), None)
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}


class Opened:
    """A page with what it said and asked for. `place`: a file or an address; `ready`: what to wait for."""

    def __init__(self, browser, place, ready=None, **options):
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.messages, self.requests = [], []
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(place if isinstance(place, str) else place.as_uri())
        if ready:
            self.page.wait_for_selector(ready)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


def contrasts(page, selectors):
    """WCAG's contrast of each text and the ground that it stands on."""
    return page.evaluate("""(selectors) => {
      const light = (text) => { const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map((v) => {
        v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
      const groundOf = (part) => { for (; part; part = part.parentElement) {
        const color = getComputedStyle(part).backgroundColor;
        if (!/, 0\\)$/.test(color)) return light(color); } return 1; };
      return selectors.map((selector) => {
        const part = document.querySelector(selector);
        const ink = light(getComputedStyle(part).color), ground = groundOf(part);
        return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05); });
    }""", selectors)
