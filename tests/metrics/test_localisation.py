"""Localisation error, by hand."""

import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.metrics.localisation import LocalisationError
from lit_vision.types import Detections, Target


def target(image_id, label, *boxes):
    found = torch.tensor(boxes, dtype=torch.float64).reshape(-1, 4)
    flags = torch.zeros(len(found), dtype=torch.bool)
    labels = torch.full((len(found),), label)
    area = (found[:, 2:] - found[:, :2]).prod(1)
    return Target(found.float(), labels, flags, flags, area, torch.tensor(image_id), torch.tensor([100, 100]), found)


def guesses(*rows):
    """Label, score and box of each."""
    boxes = torch.tensor([row[2] for row in rows]).reshape(-1, 4).float()
    return Detections(boxes, torch.tensor([row[1] for row in rows]), torch.tensor([row[0] for row in rows]).long())


TRUE = (0, 0, 10, 10)
HALF = (0, 0, 10, 5)  # overlaps TRUE by 50 of 100 pixels: just enough
LESS = (0, 0, 10, 4.9)
FAR = (50, 50, 60, 60)


def errors(*images, **options):
    metric = LocalisationError(**options)
    found, targets = zip(*images, strict=True)
    metric.update(found, targets)
    return {name: round(value.item(), 6) for name, value in metric.compute().items()}


@pytest.mark.parametrize(
    ("found", "one", "five", "given"),
    [
        ([(3, 0.9, HALF)], 0, 0, 0),
        ([(3, 0.9, LESS)], 100, 100, 100),
        ([(4, 0.9, TRUE)], 100, 100, 100),  # the box, but another class
        ([(4, 0.9, TRUE), (3, 0.8, TRUE)], 100, 0, 0),
        ([(3, 0.9, FAR), (3, 0.8, TRUE)], 100, 100, 100),  # only the best box of a class is a guess
        ([(4, 0.9, FAR), (4, 0.8, FAR), (4, 0.7, FAR), (5, 0.6, FAR), (3, 0.5, TRUE)], 100, 0, 0),  # the third class
        (
            [(label, 1 - label / 100, FAR) for label in (10, 11, 12, 13, 14)] + [(3, 0.1, TRUE)],
            100,
            100,
            0,
        ),  # the sixth
        ([], 100, 100, 100),
    ],
)
def test_one_image(found, one, five, given):
    told = errors((guesses(*found), target(1, 3, TRUE)))
    assert told == {"loc_error": one, "loc_error5": five, "loc_error_given": given}


def test_any_object_of_the_class_will_do():
    told = errors((guesses((3, 0.9, FAR)), target(1, 3, TRUE, FAR)))
    assert told == {"loc_error": 0, "loc_error5": 0, "loc_error_given": 0}


def test_shares_over_images_in_any_order_and_images_without_objects_do_not_count():
    told = errors(
        (guesses((3, 0.9, TRUE)), target(9, 3, TRUE)),
        (guesses((4, 0.9, TRUE), (3, 0.2, TRUE)), target(2, 3, TRUE)),
        (guesses((4, 0.9, TRUE)), target(5, 3, TRUE)),
        (guesses((3, 0.3, LESS)), target(4, 3, TRUE)),
        (guesses((3, 0.9, TRUE)), target(7, 3)),
    )
    assert told == {"loc_error": 75, "loc_error5": 50, "loc_error_given": 50}


def test_guesses_and_overlap_are_options():
    images = [(guesses((4, 0.9, TRUE), (5, 0.8, TRUE), (3, 0.7, HALF)), target(1, 3, TRUE))]
    assert errors(*images, guesses=(2, 3)) == {"loc_error2": 100, "loc_error3": 0, "loc_error_given": 0}
    assert errors(*images, guesses=(3,), iou=0.51) == {"loc_error3": 100, "loc_error_given": 100}
    with pytest.raises(InputError, match="LocalisationError iou is 0; give an overlap above 0"):
        LocalisationError(iou=0)
    with pytest.raises(InputError, match="guesses"):
        LocalisationError(guesses=(5, 1))


def test_without_objects_there_is_no_error_to_tell():
    assert all(value != value for value in errors((guesses(), target(1, 3))).values())
