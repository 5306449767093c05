"""A COCO detector's rows for VOC's classes, by value."""

import pytest
import torch

from lit_vision.data.names import COCO_CATEGORIES, VOC_CLASSES
from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.faster_rcnn import FasterRCNN
from lit_vision.models.pyramid import Pyramid
from lit_vision.models.weights import class_rows, torchvision_detectors
from lit_vision.types import Scores

# Each of VOC's classes and what COCO calls it: the six that differ, and fourteen that do not.
PAIRS = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}


def net(classes, **options):
    torch.manual_seed(0)
    return FasterRCNN(Pyramid(resnet.resnet18(), levels=range(2, 7), channels=16), classes, **options)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A detector of COCO's classes whose rows tell their class: 80 is background."""
    coco = net(80)
    with torch.no_grad():
        for layer, after in ((coco.regions.head.cls, 1), (coco.regions.head.box, 4)):
            values = torch.arange(81.0).repeat_interleave(after)
            layer.weight.copy_(values[:, None].expand_as(layer.weight))
            layer.bias.copy_(values)
    path = tmp_path_factory.mktemp("weights") / "coco.pt"
    torch.save(coco.state_dict(), path)
    return path


def test_names_agree_or_are_known_to_mean_the_same():
    names = [name for _, name in COCO_CATEGORIES]
    taken = [names[row] for row in class_rows.of("coco_to_voc", 20)]
    assert dict(zip(VOC_CLASSES, taken, strict=True)) == {name: PAIRS.get(name, name) for name in VOC_CLASSES}


def test_rows_of_scores_and_offsets_are_taken_by_name_and_background_stays_last(file):
    voc = net(20, weights=str(file), weights_rows="coco_to_voc")
    names = [name for _, name in COCO_CATEGORIES]
    expected = [float(names.index(PAIRS.get(name, name))) for name in VOC_CLASSES] + [80.0]
    head = voc.regions.head
    assert head.cls.bias.tolist() == expected
    assert head.cls.weight[:, 0].tolist() == expected
    assert head.box.bias.reshape(21, 4).tolist() == [[value] * 4 for value in expected]
    assert torch.equal(head.box.weight[4 * 3 + 2], torch.full_like(head.box.weight[0], expected[3]))


def test_everything_else_comes_from_the_file_too(file):
    state = torch.load(file, weights_only=True)
    voc = net(20, weights=str(file), weights_rows="coco_to_voc").state_dict()
    others = [name for name in state if "head.cls" not in name and ".head.box" not in name and "normalise" not in name]
    assert len(others) > 100
    assert all(torch.equal(state[name], voc[name]) for name in others)


def test_the_softmax_is_restricted_to_voc_s_classes_and_background(file):
    """Table 12, COCO without VOC: of the same features, COCO's scores without the others, made to sum to one again."""
    coco, voc = net(80, weights=str(file)).eval(), net(20, weights=str(file), weights_rows="coco_to_voc").eval()
    rows = [*class_rows.of("coco_to_voc", 20), 80]
    with torch.no_grad():
        for one in (coco, voc):  # rows that tell their class would let one class win everything
            one.regions.head.cls.weight.mul_(0.001)
            one.regions.head.cls.bias.mul_(0.01)
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    sizes, regions = torch.tensor([[64, 64]]), [torch.tensor([[4.0, 4, 40, 50], [0, 0, 60, 20]])]
    with torch.no_grad():
        all_scores, few = (one.score(one.extract(images, sizes), regions, sizes)[0] for one in (coco, voc))
    assert isinstance(few, Scores)
    kept = all_scores.scores[:, rows[: few.scores.shape[1]]]
    background = 1 - all_scores.scores[:, :80].sum(1, keepdim=True)
    total = all_scores.scores[:, rows[:20]].sum(1, keepdim=True) + background
    assert torch.allclose(few.scores, kept / total, atol=1e-6)


def test_torchvision_s_91_outputs_are_numbered_by_category(monkeypatch):
    ids = [number for number, _ in COCO_CATEGORIES]
    every = torchvision_detectors.rows(91, 80, True)
    found = [every[row] for row in class_rows.of("coco_to_voc", 20)] + every[80:]
    assert found[:3] == [ids[4], ids[1], ids[14]] == [5, 2, 16]  # airplane, bicycle, bird
    assert found[-1] == 0


def test_files_and_data_of_other_classes_are_refused(tmp_path, file):
    with pytest.raises(InputError, match="weights_rows coco_to_voc takes the rows of 20 classes, but the data have 19"):
        net(19, weights=str(file), weights_rows="coco_to_voc")
    torch.save(net(7).state_dict(), tmp_path / "seven.pt")
    message = (
        r"seven\.pt has 8 outputs for classes, but weights_rows coco_to_voc takes rows of a detector of 80 classes"
    )
    with pytest.raises(InputError, match=message):
        net(20, weights=str(tmp_path / "seven.pt"), weights_rows="coco_to_voc")
    with pytest.raises(InputError, match="weights_rows 'voc_to_coco': choose coco_to_voc"):
        net(20, weights=str(file), weights_rows="voc_to_coco")
