"""A browser that looks at pages of the dashboard: the distribution's Chromium, driven by selenium."""

import time

from selenium import webdriver
from selenium.webdriver import ActionChains

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
FLAGS = (
    *("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"),
    *("disable-component-update", "disable-sync", "hide-scrollbars", "window-size=1280,900"),
)
ROWS = """
  [...document.querySelectorAll(`#${arguments[0]} tbody tr:not([hidden])`)]
    .map((row) => row.querySelector('th').textContent.trim())
"""
CHOOSE = """(() => {
  const menu = document.querySelector(arguments[0]);
  menu.value = arguments[1];
  for (const name of ['input', 'change']) menu.dispatchEvent(new Event(name, { bubbles: true }));
  return menu.value === arguments[1];
})()"""
DRAWN = """(() => {
  const all = [...document.querySelectorAll('[data-figure]')];
  const next = all.find((figure) => !figure.querySelector('.main-svg'));
  if (next) next.scrollIntoView();
  return !next && all.length;
})()"""


class Browser:
    """One Chromium; `driver.quit()` ends it.

    Args:
        profile: Folder for its files, empty.
    """

    def __init__(self, profile):
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in (*FLAGS, f"user-data-dir={profile}"):
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))

    def open(self, place, width=1280, dark=False):
        """Opens an address, or the page in a folder."""
        media = {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.get(place if isinstance(place, str) else place.joinpath("index.html").as_uri())

    def js(self, expression, *arguments):
        """Value of a JavaScript expression."""
        return self.driver.execute_script(f"return {expression.strip()}", *arguments)

    def until(self, expression, *arguments):
        """Waits until an expression is true, and gives its value."""
        end = time.monotonic() + 60
        while not (value := self.js(expression, *arguments)):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.02)
        return value

    def text(self, selector):
        """What an element says, in one line."""
        return self.js("document.querySelector(arguments[0]).innerText.replace(/\\s+/g, ' ').trim()", selector)

    def rows(self, table):
        """First heading of each row that is shown."""
        return self.js(ROWS, table)

    def choose(self, selector, value):
        """Chooses from a menu, or types into a field."""
        assert self.js(CHOOSE, selector, value), f"{selector} does not offer {value}"

    def click(self, selector):
        self.js("document.querySelector(arguments[0]).click()", selector)

    def press(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def draw_all(self):
        """Unfolds everything and scrolls past every figure; gives their number once all are drawn."""
        self.js("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
        return self.until(DRAWN)

    def errors(self):
        """What the console has said since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]
