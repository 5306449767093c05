"""Noise that is left out, and what must never be."""

import logging
import subprocess
import sys
import warnings

import pytest

from lit_vision.session import quiet


@pytest.fixture(autouse=True)
def _calm(monkeypatch):
    """Undone after the test, as far as it reaches beyond `catch_warnings`."""
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        quiet.calm()
        yield
    for name in quiet.CHATTER:
        logging.getLogger(name).removeFilter(quiet._FILTER)


def shown(*texts):
    """The warnings that still reach the user."""
    with warnings.catch_warnings(record=True) as caught:
        for text in texts:
            warnings.warn(text, stacklevel=1)
    return [str(entry.message) for entry in caught]


@pytest.mark.parametrize("text", quiet.WARNINGS)
def test_a_known_warning_is_left_out(text):
    assert shown(text, f"{text} and what follows", f"By the way: {text}") == [f"By the way: {text}"]


def test_other_warnings_stay():
    texts = [
        "The number of training samples is 3",
        "You're resuming from a checkpoint of another version",
        "Precision is lost",
        "GPU available but not used. You can set it by doing `Trainer(accelerator='gpu')`.",
        "The 'train_dataloader' does not have many workers which may be a bottleneck.",
        "file.pth knows 10 classes, the data 100: the last layer starts afresh",
    ]
    assert shown(*texts) == texts


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in quiet.CHATTER.items() for text in texts])
def test_a_known_line_is_left_out_of_its_logger_alone(name, text, caplog):
    with caplog.at_level(logging.INFO):
        logging.getLogger(name).info(f"{text} and what follows")
        logging.getLogger(name).info("GPU available: False, used: False")
        logging.getLogger(name).warning("the data have no test split: testing on val")
        logging.getLogger("another").info(text)
    assert caplog.messages == [
        "GPU available: False, used: False",
        "the data have no test split: testing on val",
        text,
    ]


def test_calm_twice_is_calm_once():
    before, format_before = list(warnings.filters), warnings.formatwarning
    quiet.calm()
    assert warnings.filters == before
    assert warnings.formatwarning is format_before
    assert [logging.getLogger(name).filters for name in quiet.CHATTER] == [[quiet._FILTER]] * 3


def test_our_own_warnings_are_one_line_and_others_keep_their_place():
    ours = warnings.formatwarning("W&B failed", UserWarning, str(quiet.PACKAGE / "loggers" / "wandb.py"), 7)
    assert ours == "warning: W&B failed\n"
    theirs = warnings.formatwarning("odd", UserWarning, "/else/where.py", 7, "code()")
    assert theirs == "/else/where.py:7: UserWarning: odd\n  code()\n"


RUN = """
from lit_vision.session import quiet
import lightning as L
from lightning.pytorch.demos.boring_classes import BoringDataModule, BoringModel

quiet.calm()
quiet.calm()
trainer = L.Trainer(max_steps=2, accelerator="cpu", logger=False, enable_progress_bar=False, log_every_n_steps=100)
trainer.fit(BoringModel(), BoringDataModule())
trainer.save_checkpoint("last.ckpt")
trainer.test(BoringModel(), BoringDataModule(), ckpt_path="last.ckpt", weights_only=True)
"""


def test_a_run_of_lightning_s_own_model_says_nothing_of_it(tmp_path):
    done = subprocess.run([sys.executable, "-c", RUN], capture_output=True, text=True, cwd=tmp_path, check=True)
    known = (*quiet.WARNINGS, *(text for texts in quiet.CHATTER.values() for text in texts))
    assert [text for text in known if text in done.stderr] == []
    assert "GPU available: " in done.stderr
    assert "Loaded model weights from the checkpoint at" in done.stderr
