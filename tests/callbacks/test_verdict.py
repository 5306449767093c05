"""How long a run took: its pieces in several processes together, each once."""

from lit_vision.callbacks.verdict import Verdict
from lit_vision.experiment import recipes
from lit_vision.runs.folder import RunFolder


def verdict(folder):
    return Verdict(recipes.resolve(["quickstart/digits"]), RunFolder(folder), {})


def test_the_test_pass_does_not_count_its_own_run_twice(tmp_path):
    run = verdict(tmp_path)
    run.load_state_dict(run.state_dict())
    assert run.seconds_before == 0


def test_a_continued_run_counts_the_earlier_piece(tmp_path):
    state = verdict(tmp_path).state_dict() | {"seconds": 40.0}
    later = verdict(tmp_path)
    later.load_state_dict(state)
    assert later.seconds_before == 40.0
    assert later.state_dict()["seconds"] >= 40.0
