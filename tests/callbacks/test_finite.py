"""Losses that are not finite: who notices, what is written, what the weights see of it."""

import json
import re

import lightning as L
import pytest
import torch
from torch import nn

from lit_vision.callbacks.finite import FiniteLoss, NonFinite, gradient_norms
from lit_vision.errors import InputError
from tests.distributed import commands, world


class Poisoned(L.LightningModule):
    """The loss of the batches named is not a number; a batch is its own index."""

    def __init__(self, bad, gradient=False):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
        self.bad, self.gradient = bad, gradient
        self.kept = []

    def training_step(self, batch, index):
        images = torch.randn(8, 4, generator=torch.Generator().manual_seed(int(batch)))
        loss = self.net(images * (float("nan") if batch in self.bad and not self.gradient else 1)).square().mean()
        if self.gradient and batch in self.bad:
            loss = loss + self.net[0].weight.sum().mul(0).sqrt()  # zero, with an infinite slope
        self.loss_parts = {"cls": loss.detach(), "box": torch.tensor(0.5)}
        return loss

    def on_train_batch_end(self, *_):
        self.kept.append({name: value.clone() for name, value in self.state_dict().items()})

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)


def fit(folder, module, rule, accumulate=1, steps=4):
    L.seed_everything(1, verbose=False)
    module.net[0].reset_parameters()
    finite = FiniteLoss(folder, rule)
    trainer = L.Trainer(
        accelerator="cpu",
        max_steps=steps,
        accumulate_grad_batches=accumulate,
        callbacks=[finite],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, range(steps * accumulate))
    return finite


def lines(folder):
    return [json.loads(line) for line in (folder / "nonfinite.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("gradient", [False, True], ids=["loss", "gradient alone"])
def test_by_default_the_run_ends_before_the_weights_are_touched(tmp_path, gradient):
    module = Poisoned({2}, gradient)
    what = "its gradient is not" if gradient else r"the loss is not finite \(rank 0: cls nan\)"
    with pytest.raises(InputError, match=rf"step 3: .*{what}.*\n.*--nonfinite.policy skip") as error:
        fit(tmp_path, module, NonFinite())
    assert str(error.value).count("\n") == 1
    assert len(module.kept) == 2
    assert all(torch.equal(module.state_dict()[name], module.kept[-1][name]) for name in ("net.0.weight", "net.0.bias"))
    (line,) = lines(tmp_path)
    assert (line["step"], line["rank"]) == (3, 0)
    assert line["losses"][0]["box"] == 0.5
    assert line["losses"][0]["cls"] == "nan" or gradient
    assert line["gradient_norms"]["net.0"] in ("nan", "inf")


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_step_that_is_left_out_changes_nothing(tmp_path, accumulate):
    """The same as if the batches of that step had never been drawn."""
    module = Poisoned({1} if accumulate == 1 else {3})
    with pytest.warns(UserWarning, match=r"step 2: .* left out, 1 of at most 10"):
        finite = fit(tmp_path, module, NonFinite("skip"), accumulate)
    assert finite.state_dict() == {"skipped": 1}
    before, after = module.kept[accumulate - 1], module.kept[2 * accumulate - 1]
    assert all(torch.equal(before[name], after[name]) for name in before)  # momentum and decay pass it over, too
    assert all(torch.isfinite(value).all() for value in module.kept[-1].values())
    assert not torch.equal(module.kept[-1]["net.0.weight"], after["net.0.weight"])


def test_the_limit_ends_the_run_and_counts_over_continuations(tmp_path):
    module = Poisoned({0, 1, 2, 3})
    with (
        pytest.warns(UserWarning, match="2 of at most 2"),
        pytest.raises(InputError, match=r"step 3: .*\n2 steps were left out before, the limit \(nonfinite.limit\)"),
    ):
        fit(tmp_path, module, NonFinite("skip", 2))
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3]
    continued = FiniteLoss(tmp_path, NonFinite("skip", 2))
    continued.load_state_dict({"skipped": 2})
    assert continued.skipped == 2
    with pytest.raises(InputError, match=r"nonfinite.limit is 0; it must be at least 1"):
        NonFinite("skip", 0)


def test_gradient_norms_by_hand():
    net = nn.Sequential(nn.Linear(2, 1), nn.Linear(1, 1))
    net[0].weight.grad, net[0].bias.grad = torch.tensor([[3.0, 0.0]]), torch.tensor([4.0])
    assert gradient_norms(net) == {"0": 5.0}


def test_two_processes_agree_when_one_of_them_is_wrong(tmp_path):
    """Rank one alone sees the poisoned image; both end at the same step, and the file tells whose it was."""
    texts = world.run(commands.poisoned, 2, tmp_path)
    for text in texts:
        (told,) = re.findall(r"error: (step \d+: .*)", text)
        assert told == re.findall(r"error: (step \d+: .*)", texts[0])[0]
    wrong = [line for line in lines(tmp_path / "run") if line["losses"][0]["loss"] == "nan"]
    assert [line["rank"] for line in lines(tmp_path / "run")] == [0, 1]
    assert len(wrong) == 1
    assert f"rank {wrong[0]['rank']}: loss nan" in texts[0]
    assert commands.POISON in wrong[0]["images"]
    assert all(len(line["images"]) == 4 for line in lines(tmp_path / "run"))
