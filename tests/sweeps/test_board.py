"""The board of a sweep: each point is taken once, whatever dies when."""

import statistics
import threading

import optuna
import pytest
from optuna.trial import TrialState

from lit_vision.errors import InputError
from lit_vision.sweeps import storage, study
from lit_vision.sweeps.board import LostError, State
from tests import forking
from tests.sweeps import boards
from tests.sweeps.boards import grid, opened

PLACES = ["study.db", "study.journal"]


@pytest.fixture
def place(tmp_path):
    """A journal file, which opens a hundred times faster than a database."""
    return tmp_path / "study.journal"


@pytest.fixture(params=PLACES)
def either(request, tmp_path):
    return tmp_path / request.param


def states(one):
    return [str(trial.state) for trial in one.trials()]


@pytest.mark.parametrize("name", PLACES)
def test_processes_that_start_together_make_one_plan_and_never_take_the_same_point(tmp_path, name):
    place, count, many = tmp_path / name, 12, 4
    context = forking.CONTEXT
    ready, taken, begin = context.Queue(), context.Queue(), context.Event()
    processes = [forking.process(boards.take_all, place, count, ready, begin, taken) for _ in range(many)]
    for process in processes:
        process.start()
    for _ in processes:
        ready.get(timeout=60)
    begin.set()
    found = [taken.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(point for points in found for point in points) == list(range(count))
    one = opened(place, **grid(count))
    assert [(trial.point, trial.value) for trial in one.trials()] == [(n, float(n)) for n in range(count)]
    settled = [trial for trial in one.study.trials if trial.state is TrialState.COMPLETE]
    assert len(settled) == count


def test_threads_never_take_the_same_point(tmp_path):
    place, taken = tmp_path / "study.db", []
    opened(place, **grid(12)).fill()

    def work():
        one = opened(place, **grid(12))
        while (trial := one.claim()) is not None:
            taken.append(trial.point)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(12))


def test_sqlite_locks_before_it_reads(tmp_path):
    """Without it, two agents could both read that a trial waits, and both set it to running."""
    one, other = (storage.open_storage(str(tmp_path / "study.db")) for _ in range(2))
    with one.engine.begin() as held:
        held.exec_driver_sql("SELECT 1")
        with other.engine.connect() as second:
            second.connection.driver_connection.execute("PRAGMA busy_timeout = 1")
            with pytest.raises(Exception, match="locked"):
                second.exec_driver_sql("SELECT 1")


def test_what_was_added_twice_is_done_once(either):
    one = opened(either, **grid(2))
    one.fill()
    one.study.enqueue_trial({"x": 0}, user_attrs={"point": 0, "values": {"x": 0}})  # another agent at the same time
    first, second = one.claim(), one.claim()
    assert (first.point, second.point, one.claim()) == (0, 1, None)
    one.finish(first, 1.0)
    one.requeue(second)
    again = one.claim()
    assert (again.point, again.attempts, one.claim()) == (1, 1, None)


def test_a_trial_that_was_given_up_is_taken_again_with_the_same_values(either):
    one, other = opened(either, **grid(2)), opened(either, **grid(2))
    one.fill()
    trial = one.claim()
    other.requeue(other.trials()[0])
    assert states(one) == ["waiting", "waiting"]
    with pytest.raises(LostError):
        one.beat(trial, 2)
    with pytest.raises(LostError):
        one.finish(trial, 1.0)
    again = other.claim()
    assert (again.point, again.values, again.attempts) == (0, {"x": 0}, 1)
    other.finish(again, 2.0)
    assert [(t.state, t.value) for t in one.trials()] == [(State.FINISHED, 2.0), (State.WAITING, None)]


def test_an_agent_that_dies_between_giving_up_and_queueing_loses_nothing(place):
    one = opened(place, **grid(1))
    one.fill()
    trial = one.claim()
    one.storage.set_trial_state_values(trial.id, TrialState.FAIL)  # and dies before it fills
    assert states(one) == ["waiting"]
    assert one.claim() is None
    one.fill()
    assert one.claim().attempts == 1


def test_a_half_made_plan_is_completed(place):
    one = opened(place, **grid(5))
    one.plan, whole = one.plan[:2], one.plan
    one.fill()
    one.plan = whole
    one.fill()
    one.fill()
    assert len(one.study.trials) == 5
    assert states(one) == ["waiting"] * 5


def test_failures_keep_their_lines_and_are_not_tried_again(place):
    one = opened(place, **grid(1))
    one.fill()
    one.fail(one.claim(), "ValueError: no\nsuch luck")
    one.fill()
    (trial,) = one.trials()
    assert (trial.state, trial.failure, one.claim()) == (State.FAILED, "ValueError: no\nsuch luck", None)


def test_failures_can_be_queued_again(place):
    one, other = opened(place, **grid(2)), opened(place, **grid(2))
    one.fill()
    one.fail(one.claim(), "a bug")
    one.retry()
    other.retry()  # it waits already
    one.fill()
    assert (states(one), len(one.study.trials)) == (["waiting", "waiting"], 3)
    again = one.claim()
    assert (again.point, again.values, again.attempts) == (0, {"x": 0}, 1)
    one.requeue(again)  # an owner that dies does not bring the old failure back
    assert states(one) == ["waiting", "waiting"]
    one.fail(one.claim(), "another bug")
    assert [trial.failure for trial in one.trials()] == ["another bug", ""]


def test_the_lease_says_who_and_when(place):
    one = opened(place, **grid(1))
    one.fill()
    trial = one.claim()
    one.beat(trial, 3)
    lease = one.trials()[0].lease
    assert (lease["beat"], lease["owner"].rpartition(":")[2]) == (3, str(lease["pid"]))


BAYES = {
    "method": "bayes",
    "run_cap": 18,
    "parameters": {"x": {"min": 0.0, "max": 1.0}, "k": {"values": [[1], [2]]}, "n": {"distribution": "normal"}},
}


def test_bayes_chooses_when_a_trial_begins_and_learns(place):
    one = opened(place, **BAYES)
    one.fill()
    assert one.trials()[0].values == {}
    found = []
    for _ in range(18):
        trial = one.claim()
        found.append(trial.values["x"])
        assert trial.values["k"] in ([1], [2])
        one.finish(trial, (trial.values["x"] - 0.3) ** 2)
    assert len(set(found)) == 18
    far = [abs(x - 0.3) for x in found]
    assert statistics.median(far[10:]) < statistics.median(far[:10])  # the first ten are drawn at random
    assert one.claim() is None


def test_bayes_remembers_what_it_chose_for_a_trial_that_is_continued(either):
    one = opened(either, **BAYES)
    one.fill()
    trial = one.claim()
    one.requeue(trial)
    again = one.claim()
    assert (again.point, again.values) == (trial.point, trial.values)
    assert one.claim().values != trial.values


def test_seeds_are_values_of_their_own(place):
    one = opened(place, seeds=2, **grid(2))
    one.fill()
    assert [one.claim().values for _ in range(4)] == [
        *({"x": 0, "seed_everything": 1}, {"x": 0, "seed_everything": 2}),
        *({"x": 1, "seed_everything": 1}, {"x": 1, "seed_everything": 2}),
    ]


def test_hyperband_compares_trials_at_min_iter_times_powers_of_eta(either):
    one = opened(either, **grid(4), early_terminate={"type": "hyperband", "min_iter": 2, "eta": 2})
    one.fill()
    curves = [[9, 5, 5, 5], [9, 6, 6, 6], [9, 4, 4, 4]]
    stopped = []
    for curve in curves:
        trial = one.claim()
        asked = [step for step, value in enumerate(curve, 1) if one.report(trial, step, value)]
        stopped.append(asked[:1])
        one.prune(trial, curve[-1]) if asked else one.finish(trial, curve[-1])
    assert stopped == [[], [2], []]
    assert states(one) == ["finished", "pruned", "finished", "waiting"]
    assert one.trials()[1].value == 6


def test_without_early_terminate_nothing_is_pruned(place):
    one = opened(place, **grid(2))
    one.fill()
    trial = one.claim()
    assert not any(one.report(trial, step, float("nan")) for step in (1, 2))


def test_the_first_plan_stands(place):
    kept = storage.open_storage(str(place))
    assert study.create(kept, "s", "minimize", {"a": 1}) == {"a": 1}
    assert study.create(kept, "s", "minimize", {"a": 2}) == {"a": 1}
    assert study.stored_plan(kept, "s", "here") == {"a": 1}
    with pytest.raises(InputError, match="here holds no sweep 't', but s"):
        study.stored_plan(kept, "t", "here")
    optuna.create_study(storage=kept, study_name="foreign")
    with pytest.raises(InputError, match="'foreign' was not made by lit-vision sweep run"):
        study.stored_plan(kept, "foreign", "here")


def test_a_storage_that_cannot_be_opened_is_told(tmp_path):
    with pytest.raises(InputError, match="--storage nosuch://host/db cannot be opened"):
        storage.open_storage("nosuch://host/db")
