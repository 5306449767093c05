"""A backbone, a global average and one linear layer: the classification networks of the ResNet paper."""

from torch import Tensor, nn

from lit_vision.models.backbones.base import Backbone
from lit_vision.models.normalise import Normalise
from lit_vision.models.weights import classifiers as weight_files
from lit_vision.models.weights.preprocessing import Preprocessing


class Classifier(nn.Module):
    """Score images: normalise, backbone, global average pool of the coarsest level, fully connected layer.

    Args:
        backbone: Its coarsest level is pooled.
        num_classes: K; linked from the data in a recipe.
        normalise: None starts with ImageNet's mean and standard deviation and takes the data's when a run starts.
        weights: File or torchvision name (see `models/weights`) for backbone and classifier. A file of another
            number of classes fills the backbone alone and says so in a warning.

    Attributes:
        expects: What the weights that it was filled from were trained with; None where nothing is known.
        follows_data: Whether `normalise` takes the data's statistics when a run starts.

    Raises:
        InputError: The weights cannot be found, read or matched.
    """

    expects: Preprocessing | None = None

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        normalise: Normalise | None = None,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.follows_data = normalise is None
        self.normalise = normalise or Normalise()
        self.backbone = backbone
        self.level = max(backbone.channels)
        self.fc = nn.Linear(backbone.channels[self.level], num_classes)
        # Neither paper states it for one layer after an average pool. A small Gaussian starts with near-uniform
        # probabilities, as the fc layers of 1502.01852 (Section 2.2) do.
        nn.init.normal_(self.fc.weight, std=0.01)
        nn.init.zeros_(self.fc.bias)
        if weights is not None:
            self.expects = weight_files.load(weights, backbone, self.fc)

    def forward(self, images: Tensor, sizes: Tensor | None = None) -> Tensor:
        """Class scores before the softmax.

        Args:
            images: uint8 [B, 3, H, W].
            sizes: int [B, 2], sizes of the images without padding; `None` if there is no padding.

        Returns:
            Logits [B, K].
        """
        features = self.backbone(self.normalise(images, sizes))
        logits: Tensor = self.fc(features[self.level].mean((2, 3)))
        return logits
