"""Every promise of `docs/reliability.md` names a test, or says that it has none; `test_pages.py` looks the tests up."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
LABELS = ("one process", "2 gloo processes", "1, 2 and 3 gloo processes", "SLURM", "not verified")


def test_every_promise_has_a_label_and_a_test_or_says_that_it_has_none():
    rows = re.findall(r"^\| (.+) \| (.+) \| (.+) \|$", (ROOT / "docs" / "reliability.md").read_text(), re.M)
    promises = [row for row in rows if row[0] != "promise" and not row[0].startswith("---")]
    assert len(promises) > 20
    for promise, label, test in promises:
        assert label.startswith(LABELS), (promise, label)
        assert "::" in test or (label.startswith("not verified") and test == "none"), promise
