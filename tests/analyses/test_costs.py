import pytest
import torch
from torch import nn

from lit_vision.analyses.costs import Costs
from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier
from lit_vision.models.heads.proposal import ProposalHead
from tests.analyses import subjects


class Net(nn.Module):
    """Called as classifiers are."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, stride=2), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))
        self.fc = nn.Linear(2, 5)

    def forward(self, images, sizes=None):
        return self.fc(self.body(images.float()).mean((2, 3)))


def test_by_hand():
    found = Costs().look([subjects.of(Net(), size=(8, 6))])
    # 3x3x3x4 on 4x3 pixels, 4x2 on as many, 2x5
    assert found.arrays["multiply_adds"].tolist() == [108 * 12, 8 * 12, 10]
    assert found.arrays["layers"].tolist() == ["body.0", "body.2", "fc"]
    assert found.figures == {
        "multiply_adds": pytest.approx((1296 + 96 + 10) / 1e9),
        "parameters": pytest.approx((108 + 4 + 8 + 8 + 2 + 15) / 1e6),
    }
    (axes,) = Costs().draw(found, "net").axes
    assert [bar.get_height() * 1e6 for bar in axes.patches] == pytest.approx([1296, 96, 10])


def test_a_part_alone():
    found = Costs(part="body").look([subjects.of(Net(), size=(8, 6))])
    assert found.figures == {"multiply_adds": pytest.approx(1392e-9), "parameters": pytest.approx(130e-6)}


@pytest.mark.parametrize(
    ("build", "multiply_adds", "parameters"),
    [
        # Figure 5 on 56 x 56 pixels: 2 * 9 * 64 * 64, and 2 * 256 * 64 + 9 * 64 * 64; two numbers for each norm channel
        (resnet.resnet34, 2 * 9 * 64 * 64 * 3136, 2 * 9 * 64 * 64 + 4 * 64),
        (resnet.resnet50, (2 * 256 * 64 + 9 * 64 * 64) * 3136, 2 * 256 * 64 + 9 * 64 * 64 + 4 * 64 + 2 * 256),
    ],
)
def test_the_blocks_of_figure_5(build, multiply_adds, parameters):
    with torch.device("meta"):
        net = Classifier(build(), 1000)
    found = Costs(part="backbone.stages.2.1").look([subjects.of(net, size=(224, 224))])
    assert found.figures == {"multiply_adds": multiply_adds / 1e9, "parameters": parameters / 1e6}


def test_parameters_alone_where_images_vary():
    found = Costs(part="body").look([subjects.of(Net())])
    assert found.figures == {"parameters": pytest.approx(130e-6)}
    assert found.arrays["layers"].tolist() == ["0", "1", "2"]
    assert found.arrays["parameters"].tolist() == [108 + 4, 8, 8 + 2]
    (axes,) = Costs().draw(found, "net").axes
    assert [bar.get_height() * 1e6 for bar in axes.patches] == pytest.approx([112, 8, 10])
    assert axes.get_ylabel() == "million parameters"


def test_the_proposal_network_of_vgg_has_the_parameters_that_the_text_counts():
    """Section 3.1.1: 3 x 3 x 512 x 512 + 512 x 6 x 9, about 2.4e6, and 2.8e4 in the outputs; biases are ours to add."""
    with torch.device("meta"):
        head = ProposalHead(512, anchors=9, width=512, answer="softmax")
    found = Costs().look([subjects.of(head)])
    counted = dict(zip(found.arrays["layers"].tolist(), found.arrays["parameters"].tolist(), strict=True))
    assert counted == {"conv": 3 * 3 * 512 * 512 + 512, "cls": 512 * 2 * 9 + 18, "box": 512 * 4 * 9 + 36}
    assert counted["cls"] + counted["box"] == pytest.approx(2.8e4, rel=0.02)
    assert found.figures["parameters"] == pytest.approx(2.4, rel=0.01)


def test_what_cannot_be_counted_is_told():
    with pytest.raises(InputError, match=r"^analysis.part: Net has no module 'bdy'$"):
        Costs(part="bdy").look([subjects.of(Net(), size=(8, 8))])
    with pytest.raises(InputError) as caught:
        Costs().look([subjects.of(Net(), size=(8, 8))] * 2)
    assert str(caught.value) == (
        "analysis Costs looks at one network, and the row has 2 members;\n"
        "give the row `weights_of` instead of `members`"
    )
