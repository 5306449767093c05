"""A detector whose second stage says what the test tells it, for protocols of regions."""

import torch

from lit_vision.models.detector import RegionDetector
from lit_vision.ops import box
from lit_vision.ops.selection import Selection
from lit_vision.types import Candidates, Scores

IMAGE, SIZE = torch.zeros(1, 3, 32, 64, dtype=torch.uint8), torch.tensor([[30, 60]])


class Told(RegionDetector):
    """Looks its answers up by region; remembers what it was asked.

    Args:
        answers: By region, `x1 y1 x2 y2`: the score of each class, and the box of each class.
        proposals: Regions that it proposes in every image; the first answer's if None.
    """

    limits = Selection(score=0.05, per_level=10, nms=0.5, limit=10)
    loss = static = example = None

    def __init__(self, answers, proposals=None):
        torch.nn.Module.__init__(self)
        self.answers = answers
        self.proposals = [next(iter(answers))] if proposals is None else proposals
        self.asked = []

    def extract(self, images, sizes):
        return {}

    def propose(self, features, image_size, sizes):
        return [torch.tensor(self.proposals).reshape(-1, 4).float() for _ in sizes]

    def pool(self, features, boxes):
        return torch.cat(list(boxes))

    def score_pooled(self, pool, regions, sizes):
        pool(regions)
        self.asked.append([each.tolist() for each in regions])
        return [self._of(each.tolist()) for each in regions]

    def _of(self, regions):
        classes = len(next(iter(self.answers.values()))[0])
        found = [self.answers[tuple(region)] for region in regions]
        scores = torch.tensor([scores for scores, _ in found]).reshape(-1, classes)
        return Scores(scores, torch.tensor([boxes for _, boxes in found]).reshape(-1, classes, 4).float())

    def candidates_of(self, scores, sizes):
        return [self._above(*each) for each in zip(scores, sizes, strict=True)]

    def _above(self, scores, size):
        region, label = (scores.scores > self.limits.score).nonzero(as_tuple=True)
        return Candidates(box.clip(scores.boxes[region, label], size), scores.scores[region, label], label, label)


def found(detections):
    """Box, score rounded to the fourth place, and label of each detection of an image."""
    scores = [round(score, 4) for score in detections.scores.tolist()]
    return list(zip(detections.boxes.tolist(), scores, detections.labels.tolist(), strict=True))
