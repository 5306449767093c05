"""`docs/reliability.md` and `docs/clusters.md` name tests: each of them exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ("reliability", "clusters")
LABELS = ("one process", "2 gloo processes", "1, 2 and 3 gloo processes", "not verified")


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_exists(page):
    text = (ROOT / "docs" / f"{page}.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    assert len(named) > 5
    for file, test in named:
        assert (ROOT / file).is_file(), file
        assert not test or f"def {test}(" in (ROOT / file).read_text(), f"{file}::{test}"


def test_every_promise_has_a_label_and_a_test_or_says_that_it_has_none():
    rows = re.findall(r"^\| (.+) \| (.+) \| (.+) \|$", (ROOT / "docs" / "reliability.md").read_text(), re.M)
    promises = [row for row in rows if row[0] != "promise" and not row[0].startswith("---")]
    assert len(promises) > 20
    for promise, label, test in promises:
        assert label.startswith(LABELS), (promise, label)
        assert "::" in test or (label.startswith("not verified") and test == "none"), promise
