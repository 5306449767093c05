"""R-CNN on the proposals of each class (ResNet paper, 1512.03385, Appendix C; Tables 13 and 14)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Self

import torch
from torch import Tensor, nn

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.backbones.one_level import OneLevel
from lit_vision.models.detector import ClassLayer, full_precision
from lit_vision.models.localiser import ClassProposals, Localiser, class_losses
from lit_vision.models.normalise import Normalise
from lit_vision.models.pyramid import Pyramid
from lit_vision.ops import box, matching, roi, sampling, selection
from lit_vision.ops.matching import Matcher
from lit_vision.ops.sampling import Sampler
from lit_vision.ops.selection import Selection
from lit_vision.types import Batch, Candidates, Detections, Features, Target

# "Top 200 proposals" of a class; the paper names no suppression, and 0.7 is that of Faster R-CNN's proposals.
SELECTION = Selection(score=0.0, per_level=2000, nms=0.7, limit=200, smallest=1.0)
# Not in the paper: those of the second stage of Fast R-CNN, Section 2.3.
MATCHER = Matcher(low=0.5, high=0.5)
SAMPLER = Sampler(size=1, fraction=0.25)


class CropClassifier(nn.Module):
    """A classification network on regions that are cut out and warped, with two sibling layers at its end.

    Both answer for each class: a logistic regression, object of the class or not, and four offsets.

    Args:
        num_classes: K.
        backbone: Its coarsest level is averaged; the paper's is trained on ImageNet.
        size: Side of the warped regions, in pixels.
        at_once: Regions that are looked at together in detection; of no effect on what is found.

    Raises:
        InputError: `size` or `at_once` is not positive.
    """

    def __init__(self, num_classes: int, backbone: Backbone, size: int = 224, at_once: int = 250) -> None:
        super().__init__()
        if min(size, at_once) < 1:
            raise InputError(f"regions: size and at_once are at least 1, got {size} pixels and {at_once} regions")
        self.backbone = backbone
        self.size = size
        self.at_once = at_once
        self.level = max(backbone.channels)
        self.cls = nn.Linear(backbone.channels[self.level], num_classes)
        self.box = nn.Linear(backbone.channels[self.level], 4 * num_classes)
        for layer, std in ((self.cls, 0.01), (self.box, 0.001)):  # as in Fast R-CNN, Section 2.3
            nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [R, K] and offsets [R, K, 4] of normalised crops [R, 3, size, size]."""
        averaged = self.backbone(crops)[self.level].mean((2, 3))
        return self.cls(averaged), self.box(averaged).unflatten(1, (-1, 4))


class RCNN(Localiser):
    """Looks once more at the best proposals of each class, each cut out of the image and warped to one size.

    The proposals are those of a `Localiser` that was trained before. It stays as it is: the loss is that of `regions`
    alone. Detection gives a proposal of a class a new score and a new box by what the region says of that class.

    Args:
        pyramid: The trained localiser's.
        num_classes: K; linked from the data in a recipe.
        regions: Makes the network that looks at regions from K.
        proposals: The trained localiser's.
        selection: Proposals of each class: `per_level` are suppressed, `limit` are left.
        guesses: Classes of an image that are looked for, those with the best proposals, where `only` names none.
        matcher: Overlaps that make a region background or an object's.
        sampler: Regions of an image that are trained, and the largest share of positives. They are drawn from those of
            the whole batch together, as the paper's are from those of all images ("RoI-centric").
        box_beta: Where smooth L1 turns linear.
        box_weights: Factors of the offsets; Fast R-CNN's.
        normalise: See `Detector`.

    Raises:
        InputError: The pyramid's levels differ in width, or `guesses` is not positive.
    """

    def __init__(
        self,
        pyramid: Pyramid | Backbone,
        num_classes: int,
        regions: Callable[[int], CropClassifier],
        proposals: Callable[[int, int], ClassProposals] = ClassProposals,
        selection: Selection = SELECTION,
        guesses: int = 5,
        matcher: Matcher = MATCHER,
        sampler: Sampler = SAMPLER,
        box_beta: float = 1.0,
        box_weights: box.Weights = (10.0, 10.0, 5.0, 5.0),
        normalise: Normalise | None = None,
    ) -> None:
        if guesses < 1:
            raise InputError(f"rcnn: guesses is {guesses}; look for at least one class")
        super().__init__(pyramid, num_classes, proposals, normalise=normalise)
        self.regions = regions(num_classes)
        self.selection = selection
        self.guesses = guesses
        self.matcher = matcher
        self.sampler = sampler
        self.box_beta = box_beta
        self.box_weights = box_weights
        for part in (self.pyramid, self.proposals):
            part.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Switches to training, except for the localiser."""
        super().train(mode)
        self.pyramid.eval()
        self.proposals.eval()
        return self

    def extract(self, images: Tensor, sizes: Tensor) -> Features:
        """The localiser's maps, and the normalised image itself as level 0, which regions are cut from."""
        normal = self.normalise(images, sizes)
        maps: Features = self.pyramid(normal)
        return {0: normal, **maps}

    def loss(self, batch: Batch[list[Target]]) -> dict[str, Tensor]:
        """Losses `cls` and `box` of sampled regions; see `class_losses`.

        They are drawn from the proposals of each image's own classes and from the objects. Of an image without objects
        they are what detection would look at.
        """
        boxes, labels = zip(*map(matching.trainable, batch.targets), strict=True)
        with torch.no_grad(), full_precision(batch.images):
            features = self.extract(batch.images, batch.sizes)
            proposed = self._of_own_classes(features, batch, labels)
            regions, matched = self._sample(proposed, boxes)
            crops = roi.crops(features[0], batch.sizes, regions, self.regions.size)
        answers = self.regions(crops)
        with full_precision(batch.images):
            objects = torch.cat(list(boxes)), torch.cat(list(labels))
            return class_losses(answers, torch.cat(regions), matched, objects, self.box_beta, self.box_weights)

    def candidates(self, features: Features, image_size: Sequence[int], sizes: Tensor) -> list[Candidates]:
        """The best proposals of each class that is looked for, each scored and moved by what its region says."""
        proposed = self._proposed(features, image_size, sizes, self.classes)
        images = zip(torch.split(features[0], 1), torch.split(sizes, 1), proposed, strict=True)
        return [self._anew(*image) for image in images]

    def static(self) -> Iterable[nn.Module]:
        """The localiser's parts: how many regions there are depends on the images' content."""
        return self.pyramid, self.proposals.head

    def class_layers(self) -> list[ClassLayer]:
        """Those of the localiser, and the last two on regions."""
        return [*super().class_layers(), ClassLayer("regions.cls", 1, 1), ClassLayer("regions.box", 1, 4)]

    @classmethod
    def example(cls) -> "RCNN":
        """Of twenty classes: a localiser on one level of a ResNet-18, and small regions for a ResNet-20."""
        return cls(
            OneLevel(resnet.resnet18(), 4),
            num_classes=20,
            regions=lambda classes: CropClassifier(classes, resnet.resnet20(), size=32),
            selection=Selection(score=0.0, per_level=100, nms=0.7, limit=20, smallest=1.0),
            guesses=12,
            sampler=Sampler(size=16, fraction=0.25),
        )

    def _proposed(
        self, features: Features, image_size: Sequence[int], sizes: Tensor, classes: Tensor | None
    ) -> list[Detections]:
        """Proposals of each image: of some classes, int64 [n], or of those that are guessed."""
        maps = {level: each for level, each in features.items() if level}
        guesses = self.guesses if classes is None else None
        found = self.proposals.candidates(maps, image_size, sizes, self.selection.per_level, classes, guesses)
        return [self._kept(each) for each in found]

    def _kept(self, candidates: Candidates) -> Detections:
        """The best of each class, after suppression within it."""
        classes = [candidates.groups == group for group in torch.unique(candidates.groups)]
        of_class = [Candidates(*(value[of] for value in candidates)) for of in classes]
        kept = [selection.suppress(*each, selection=self.selection) for each in of_class]
        return Detections(*map(torch.cat, zip(*kept, strict=True)))

    def _of_own_classes(self, features: Features, batch: Batch[list[Target]], labels: Sequence[Tensor]) -> list[Tensor]:
        """Proposals [R, 4] of each image, of the classes of its objects, int64 [G]."""
        found, shape = [], batch.images.shape[-2:]
        for index, of_image in enumerate(labels):
            own = torch.unique(of_image) if len(of_image) else None
            alone = {level: each[index : index + 1] for level, each in features.items()}
            found += self._proposed(alone, shape, batch.sizes[index : index + 1], own)
        return [each.boxes for each in found]

    def _sample(self, proposed: Sequence[Tensor], boxes: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Regions to train of each image, its objects among them, and what each is on, counted over the batch."""
        regions = [torch.cat(both) for both in zip(proposed, boxes, strict=True)]
        matched = torch.cat(matching.assign(self.matcher, boxes, regions))
        size = self.sampler.size * len(regions)
        drawn = sampling.balanced(matched >= 0, matched == matching.NEGATIVE, size, self.sampler.fraction)
        of_each = torch.split(drawn, [len(each) for each in regions])
        return [each[of] for each, of in zip(regions, of_each, strict=True)], matched[drawn]

    def _anew(self, image: Tensor, size: Tensor, proposed: Detections) -> Candidates:
        """What the regions' network makes of proposals in a normalised image [1, 3, H, W] of size [1, 2]."""
        parts = [
            self.regions(roi.crops(image, size, [regions], self.regions.size))
            for regions in torch.split(proposed.boxes, self.regions.at_once)
        ]
        with full_precision(image):
            logits, deltas = (torch.cat(each).float() for each in zip(*parts, strict=True))
            own = torch.arange(len(logits), device=logits.device), proposed.labels
            boxes = box.clip(box.decode(deltas[own], proposed.boxes, self.box_weights), size[0])
            return Candidates(boxes, logits[own].sigmoid(), proposed.labels, proposed.labels)
