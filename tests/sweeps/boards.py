"""Boards for tests: a sweep's study in a file, opened as an agent opens it."""

from lit_vision.sweeps import board, definition, points, storage, study
from tests.sweeps.test_definition import GOOD


def opened(place, seeds=None, **change):
    """The board of a sweep, made unless it is there."""
    sweep = definition.parse(GOOD | {"name": "s"} | change, "mine.yaml")
    kept = storage.open_storage(str(place))
    study.create(kept, "s", sweep.goal, {"content": sweep.content})
    return board.Board(kept, "s", sweep, points.enumerate_all(sweep, seeds))


def grid(count):
    return {"parameters": {"x": {"values": list(range(count))}}}


def take_all(place, count, ready, begin, taken):
    """A process that opens the study at the same moment as others, and claims until nothing waits."""
    ready.put(1)
    begin.wait()
    one = opened(place, **grid(count))
    one.fill()
    points_taken = []
    while (trial := one.claim()) is not None:
        points_taken.append(trial.point)
        one.finish(trial, float(trial.point))
    taken.put(points_taken)
