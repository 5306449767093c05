"""`precision`, `channels_last` and `compile` change how a network is computed, and nothing else."""

import functools
import shutil

import lightning as L
import pytest
import torch
from torch import nn

from lit_vision.data.digits import Digits
from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier
from lit_vision.tasks.classification import Classification

STEPS = 3


class Watch(L.Callback):
    """Notes the losses, and type and layout of what convolutions and batch norms give."""

    def __init__(self, module):
        self.losses, self.maps = [], set()
        for layer in module.network.modules():
            # 1 x 1 maps lie both ways at once, and say nothing.
            if isinstance(layer, nn.Conv2d | nn.BatchNorm2d) and not module.network._compiled_call_impl:
                layer.register_forward_hook(self._note)

    def _note(self, layer, inputs, output):
        assert output.shape[-1] > 1
        last = output.is_contiguous(memory_format=torch.channels_last)
        self.maps.add((type(layer).__name__, output.dtype, last))

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.losses.append(outputs["loss"])


def network():
    """A residual net of eight layers, which torch.compile takes in bearable time."""
    return Classifier(resnet.cifar(1, residual=True), 10)


def trained(precision="32-true", **switches):
    """Three steps and a test pass on the digits: what was watched, the module, the test figures."""
    torch.manual_seed(0)
    module = Classification(network(), functools.partial(torch.optim.SGD, lr=0.01), **switches)
    watch = Watch(module)
    trainer = L.Trainer(
        max_steps=STEPS,
        precision=precision,
        accelerator="cpu",
        callbacks=[watch],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        use_distributed_sampler=False,
    )
    data = Digits(batch_size=64)
    trainer.fit(module, data)
    return watch, module, trainer.test(module, data, verbose=False)[0]


@pytest.fixture(scope="module")
def eager():
    return trained()


def assert_same(found, eager, rel):
    """Losses of every step and of the test pass agree; the losses are float32, and so are all weights."""
    (watch, module, figures), (watched, _, expected) = found, eager
    assert [loss.dtype for loss in watch.losses] == [torch.float32] * STEPS
    assert torch.stack(watch.losses).tolist() == pytest.approx(torch.stack(watched.losses).tolist(), rel=rel)
    assert figures["test/loss"] == pytest.approx(expected["test/loss"], rel=rel)
    assert {value.dtype for value in module.network.state_dict().values()} == {torch.float32, torch.int64}


def layouts(module):
    """Whether each convolution with several inputs and a kernel above 1 x 1 lies channels-last."""
    return {
        layer.weight.is_contiguous(memory_format=torch.channels_last)
        for layer in module.network.modules()
        if isinstance(layer, nn.Conv2d) and layer.kernel_size != (1, 1)
    }


def test_without_switches_everything_is_float32_and_channels_first(eager):
    watch, module, _ = eager
    assert watch.maps == {("Conv2d", torch.float32, False), ("BatchNorm2d", torch.float32, False)}
    assert layouts(module) == {False}


def test_bf16_is_really_used_and_the_loss_stays_float32(eager):
    found = trained("bf16-mixed")
    watch, module, _ = found
    assert watch.maps == {("Conv2d", torch.bfloat16, False), ("BatchNorm2d", torch.bfloat16, False)}
    # bfloat16 has eight bits of mantissa: errors of 2**-9 a value, which mostly average out.
    assert_same(found, eager, rel=0.02)
    assert torch.stack(found[0].losses).tolist() != torch.stack(eager[0].losses).tolist()
    running = [layer.running_var.dtype for layer in module.network.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert set(running) == {torch.float32}


def test_channels_last_reaches_weights_and_maps(eager):
    found = trained(channels_last=True)
    watch, module, _ = found
    assert layouts(module) == {True}
    assert watch.maps == {("Conv2d", torch.float32, True), ("BatchNorm2d", torch.float32, True)}
    # Three steps amplify the rounding of sums in another order.
    assert_same(found, eager, rel=1e-3)


def test_channels_last_survives_the_loading_of_a_checkpoint():
    module = Classification(network(), functools.partial(torch.optim.SGD, lr=0.1), channels_last=True)
    module.load_state_dict({key: value.contiguous().clone() for key, value in module.state_dict().items()})
    assert layouts(module) == {True}


def test_the_switches_together(eager):
    found = trained("bf16-mixed", channels_last=True)
    assert found[0].maps == {("Conv2d", torch.bfloat16, True), ("BatchNorm2d", torch.bfloat16, True)}
    assert_same(found, eager, rel=0.02)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize(("precision", "channels_last", "rel"), [("32-true", False, 1e-3), ("bf16-mixed", True, 0.02)])
def test_a_compiled_network_computes_what_an_eager_one_does(eager, precision, channels_last, rel):
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    found = trained(precision, channels_last=channels_last, compile=True)
    layers = [layer for layer in found[1].network.modules() if isinstance(layer, nn.Conv2d | nn.BatchNorm2d)]
    assert torch._dynamo.utils.counters["stats"]["calls_captured"] > len(layers)
    assert_same(found, eager, rel)
    # Names stay, so that a compiled network's checkpoint fits an eager one.
    assert found[1].state_dict().keys() == eager[1].state_dict().keys()
    images = torch.randint(0, 256, (64, 3, 8, 8), dtype=torch.uint8)
    plain = network()
    plain.normalise.set(found[1].network.normalise.mean, found[1].network.normalise.std)
    plain.load_state_dict(found[1].network.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(found[1].network.eval()(images), plain.eval()(images), atol=1e-4, rtol=1e-4)
