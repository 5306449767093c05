import functools

import pytest

from lit_vision.experiment import recipes


@pytest.fixture(autouse=True, scope="package")
def cards_read_once():
    """Every ledger reads all cards; the files do not change while tests run."""
    patch = pytest.MonkeyPatch()
    patch.setattr(recipes, "read_card", functools.cache(recipes.read_card))
    yield
    patch.undo()
