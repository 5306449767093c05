"""The line that each validation leaves above the bar."""

from types import SimpleNamespace

import torch

from lit_vision.callbacks.progress import RunProgress


def test_figures_that_nothing_tells_are_left_out_of_the_line(capsys):
    figures = {"val/ap": 12.34567, "val/ap_l": float("nan"), "train/loss": float("nan"), "val/error": 0.0}
    trainer = SimpleNamespace(
        sanity_checking=False,
        global_step=20,
        state=SimpleNamespace(fn="fit"),
        callback_metrics={name: torch.tensor(value) for name, value in figures.items()},
    )
    RunProgress().on_validation_end(trainer)
    assert capsys.readouterr().err.strip() == "step 20: val/ap 12.35  val/error 0"
