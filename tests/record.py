"""Figures of long tests as JSON lines, in the file that `LIT_VISION_RECORD` names; nowhere without it.

LIT_VISION_RECORD=docs/results/reliability.jsonl pytest -m slow tests/cli/test_kills.py tests/distributed
python docs/results/render.py
"""

import json
import os
from pathlib import Path

from lit_vision.runs import versions

VARIABLE = "LIT_VISION_RECORD"
# Seen before any test changes the folder.
FILE = Path(os.environ[VARIABLE]).resolve() if os.environ.get(VARIABLE) else None


def append(**figures):
    """Adds a line: what was tested, its figures, the test that did it and the code it ran on."""
    if FILE is None:
        return
    test = os.environ["PYTEST_CURRENT_TEST"].partition("[")[0].partition(" (")[0]
    with FILE.open("a", encoding="utf-8") as file:
        file.write(json.dumps(figures | {"test": test, "code": versions.code()}) + "\n")
