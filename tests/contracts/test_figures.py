"""Every figure that a metric, a task or a detector logs is declared with a direction; nothing else has a name."""

import importlib
import inspect
import pkgutil
import re

import lightning as L
import pytest
import torch
from torchmetrics import Metric

from lit_vision import analyses, metrics, tasks
from lit_vision.analyses.anchor_count import AnchorCount
from lit_vision.analyses.base import Analysis
from lit_vision.analyses.costs import Costs
from lit_vision.analyses.curves import Curves
from lit_vision.analyses.deviations import Deviations
from lit_vision.analyses.loss_shapes import LossShapes
from lit_vision.analyses.loss_shares import LossShares
from lit_vision.analyses.proposal_sizes import ProposalSizes
from lit_vision.analyses.recall import Recall
from lit_vision.analyses.regions import Regions
from lit_vision.analyses.responses import Responses
from lit_vision.analyses.shapes import Shapes
from lit_vision.analyses.signals import Signals
from lit_vision.analyses.slopes import Slopes
from lit_vision.analyses.speed_accuracy import SpeedAccuracy
from lit_vision.analyses.timing import Timing
from lit_vision.errors import InputError
from lit_vision.experiment import card, figures
from lit_vision.metrics.coco import CocoAP
from lit_vision.metrics.error import ErrorRate
from lit_vision.metrics.localisation import LocalisationError
from lit_vision.metrics.mask_recall import MaskRecall
from lit_vision.metrics.recall import ProposalRecall
from lit_vision.metrics.voc import VocAP
from lit_vision.models.backbones.resnet import resnet20
from lit_vision.models.classifier import Classifier
from lit_vision.models.losses import FocalLoss
from lit_vision.models.mask_proposals import MaskProposals
from lit_vision.models.rpn import RPN
from lit_vision.tasks.classification import Classification
from lit_vision.tasks.detection import Detection
from lit_vision.tasks.signal import SignalPropagation
from lit_vision.types import Batch
from tests.analyses import subjects, test_loss_shares, test_recall, test_slopes, test_speed_accuracy, test_timing


def declared(name, group):
    return figures.find(name) in group.values() and figures.find(name) is not None


def classes_of(package, kind):
    for entry in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{entry.name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, kind) and value.__module__ == module.__name__:
                yield value


REPORTED = {CocoAP, VocAP, ProposalRecall, MaskRecall, ErrorRate, LocalisationError}


def test_every_metric_that_reports_figures_declares_them():
    concrete = {found for found in classes_of(metrics, Metric) if not inspect.isabstract(found)}
    assert {found for found in concrete if hasattr(found, "logs")} == REPORTED
    assert {found.__name__ for found in concrete - REPORTED} <= {"ExactMean", "DetectionMetric"}  # no figures of theirs


def test_every_task_declares_what_it_logs():
    found = {task for task in classes_of(tasks, L.LightningModule) if task.__name__ != "Task"}
    assert found == {Classification, Detection, SignalPropagation}
    for task in found:
        assert task.logs
        assert task.logs.items() <= figures.VOCABULARY.items()


LOG = [{"step": 1, "train/error": 90.0}, {"step": 1, "val/error": 80.0}]


def classifiers(*rows):
    """Untrained classifiers, a batch of two images and a log, for each row."""
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    batch = Batch(images, torch.tensor([[8, 8]] * 2), torch.tensor([0, 1]))
    net = Classifier(resnet20(), num_classes=10).eval()
    return [subjects.of(net, [batch], (8, 8), LOG, row) for row in rows]


def on_meta(network):
    with torch.device("meta"):
        return network.example()


ANALYSES = {
    AnchorCount: (AnchorCount(), lambda: [subjects.of(on_meta(RPN))]),
    Costs: (Costs(), lambda: classifiers("a")),
    Curves: (Curves(), lambda: classifiers("a", "b")),
    Deviations: (Deviations([64, 128]), lambda: classifiers("a")),
    LossShapes: (LossShapes({"FL": FocalLoss()}), lambda: classifiers("a")),
    LossShares: (
        LossShares(),
        lambda: [subjects.of(test_loss_shares.Known(0.0, 1.0), [test_recall.batch(test_loss_shares.objects(1))])],
    ),
    ProposalSizes: (
        ProposalSizes(),
        lambda: [subjects.of(RPN.example().eval(), [test_recall.batch(test_recall.target(1))])],
    ),
    Recall: (Recall((10,)), lambda: [subjects.of(RPN.example().eval(), [test_recall.batch(test_recall.target(1))])]),
    Regions: (Regions(), lambda: [subjects.of(on_meta(MaskProposals))]),
    Responses: (Responses(), lambda: classifiers("a", "b")),
    Shapes: (Shapes([torch.nn.ReLU(), torch.nn.PReLU()]), lambda: classifiers("a")),
    Signals: (Signals(), lambda: classifiers("a")),
    Slopes: (Slopes(), lambda: [test_slopes.subject("prelu")]),
    SpeedAccuracy: (SpeedAccuracy(), lambda: [test_speed_accuracy.SMALL, test_speed_accuracy.LARGE]),
    Timing: (Timing(images=1, warmup=0), lambda: [test_timing.subject(test_timing.Costly(lambda _: None), 1)]),
}


def test_every_analysis_is_looked_at_here():
    found = {kind for kind in classes_of(analyses, Analysis) if not inspect.isabstract(kind)}
    assert found == {*ANALYSES, Slopes}  # whose figures `tests/analyses/test_slopes.py` looks at: it needs PReLU


@pytest.mark.parametrize("kind", ANALYSES, ids=lambda kind: kind.__name__)
def test_an_analysis_finds_what_it_declares_and_nothing_else(kind):
    analysis, looked_at = ANALYSES[kind]
    found = analysis.look(looked_at())
    names = {name.partition("/")[0] for name in found.figures}
    assert {name if name in kind.logs else re.sub(r"\d+$", "#", name) for name in names} == kind.logs.keys()
    assert kind.logs.items() <= figures.VOCABULARY.items()
    assert all(declared(f"analysis/{name}", kind.logs) for name in found.figures)


@pytest.mark.parametrize(
    "metric",
    [CocoAP(), VocAP(), ProposalRecall((10, 1000)), MaskRecall((10, 1000)), LocalisationError((1, 3))],
    ids=lambda m: type(m).__name__,
)
def test_all_that_a_detection_metric_computes_is_declared(metric):
    names = list(metric.compute())
    assert names
    assert [name for name in names if not declared(name, metric.logs)] == []


@pytest.mark.parametrize(("guesses", "name"), [(1, "error"), (5, "error5"), (3, "error3")])
def test_errors_are_declared_by_their_number_of_guesses(guesses, name):
    assert ErrorRate(10, top_k=guesses).name == name
    assert declared(name, ErrorRate.logs)


def test_a_classifier_takes_metrics_like_a_detector():
    network = Classifier(resnet20(), num_classes=4)
    task = Classification(network, torch.optim.SGD, metrics=[ErrorRate(top_k=1), ErrorRate(top_k=3)])
    logits = torch.tensor([[4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]])
    task.test_metrics.update(logits, torch.tensor([1, 0]))  # the second best, and the worst
    assert {name: float(value) for name, value in task.test_metrics.compute().items()} == {
        "test/error": 100.0,
        "test/error3": 50.0,
    }


@pytest.mark.parametrize(
    ("name", "better", "unit"),
    [
        ("test/error5", "lower", "%"),
        ("test/ap/cat", "higher", "%"),
        ("test/proposal_ar_s1000", "higher", "%"),
        ("train/loss", "lower", "nats"),
        ("test/backward_slope", "near", "per layer"),
        ("test/ms", "lower", "ms"),
    ],
)
def test_directions_and_units(name, better, unit):
    assert figures.find(name) == figures.Kind(better, unit)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("test/eror", "test/error"), ("tset/ap50", "test/ap50"), ("test/proposal_ap1000", "test/proposal_ar100")],
)
def test_other_names_are_refused_with_the_nearest(name, nearest):
    with pytest.raises(InputError, match=f"x.yaml: nothing logs '{name}'; did you mean '{nearest}'"):
        figures.check(name, "x.yaml")


OWN = {"figures": {"test/of_mine": {"better": "lower", "unit": "mm"}}, "metric": "test/of_mine"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"metric": "test/eror"}, "card.metric: nothing logs 'test/eror'; did you mean 'test/error'?"),
        ({"rows": {"a": {"value": 1, "default": True, "metric": "test/app"}}}, "card.rows.a: nothing logs 'test/app'"),
        ({"rows": {"a": {"value": 1, "default": True, "also": {"test/ap_x": 1}}}}, "card.rows.a: nothing logs"),
        (
            {
                "rows": {"a": {"value": 1, "default": True}},
                "relations": [{"id": "r", "expr": "row('a', metric='test/errors') > 1"}],
            },
            "card.relations.r: nothing logs 'test/errors'; did you mean 'test/error'?",
        ),
        (
            {
                "rows": {"a": {"value": 1, "default": True}},
                "relations": [{"id": "r", "expr": "paper('a', metric='test/error5') > 1"}],
            },
            "card.relations.r: no paper prints test/error5 of 'a'",
        ),
        (
            {
                "rows": {"a": {"value": 1, "quoted": "other people's"}},
                "relations": [{"id": "r", "expr": "row('a') > 1"}],
            },
            "card.relations.r: 'a' is quoted and never runs; write paper('a')",
        ),
        (OWN | {"figures": {"test/of_mine": {"better": "best"}}}, "better should be one of lower, higher, near"),
    ],
)
def test_cards_name_only_what_is_logged(content, message):
    with pytest.raises(InputError) as caught:
        card.parse(content, "f.yaml")
    assert message in str(caught.value)


def test_a_card_may_declare_a_figure_of_its_own():
    assert card.parse(OWN, "f.yaml").better("test/of_mine") == "lower"
