"""How large the dashboard's page of many runs is, and how long a browser takes until it can be read.

    python benchmarks/dashboard_load.py [RUNS]     200 invented runs of 20,000 steps; Debian's chromium and chromedriver

Prints one JSON line: megabytes of the page and of all pages with the drawing library that they share, seconds to write
the pages, and seconds from opening the file until its texts and tables are there (`interactive_s`), until the load
event (`load_s`), and until the first figures are drawn (`drawn_s`); the median of five loads.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from lit_vision.report.dashboard.site import Site
from tests.report import dashboard_runs
from tests.report.dashboard_browser import Browser

LOADS = 5
TIMES = (
    "['domInteractive', 'loadEventEnd'].map((name) => performance.timing[name] - performance.timing.navigationStart)"
)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        root = dashboard_runs.many(Path(folder) / "runs", count)
        began = time.perf_counter()
        page = Site([root]).write()
        written = time.perf_counter() - began
        size = page.stat().st_size
        everything = sum(file.stat().st_size for suffix in ("html", "js") for file in root.rglob(f"*.{suffix}"))
        loads = measure(page.parent, Path(folder) / "profile")
    names = ("interactive_s", "load_s", "drawn_s")
    columns = zip(names, zip(*loads, strict=True), strict=True)
    medians = {name: round(statistics.median(times), 2) for name, times in columns}
    megabytes = {"page_mb": round(size / 1e6, 2), "all_mb": round(everything / 1e6, 1)}
    print(json.dumps({"runs": count} | megabytes | {"write_s": round(written, 1)} | medians))


def measure(folder: Path, profile: Path) -> list[tuple[float, float, float]]:
    """Seconds of each load: interactive, load event, first figures drawn."""
    browser = Browser(profile)
    loads = []
    try:
        for _ in range(LOADS):
            browser.open(folder)
            browser.js("document.querySelector('#figure-overlay').scrollIntoView()")
            drawn = browser.until("document.querySelector('#figure-overlay .main-svg') && performance.now()")
            interactive, load = browser.js(TIMES)
            loads.append((interactive / 1000, load / 1000, drawn / 1000))
    finally:
        browser.driver.quit()
    return loads


if __name__ == "__main__":
    main()
