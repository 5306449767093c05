"""A backbone and a head of class scores: the classification networks of the papers."""

from torch import Tensor, nn

from lit_vision.models import activation as activations
from lit_vision.models.activation import Activation
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.heads.classes import GlobalAverage, MakeHead
from lit_vision.models.initialise import Init
from lit_vision.models.normalise import Normalise
from lit_vision.models.weights import classifiers as weight_files
from lit_vision.models.weights.preprocessing import Preprocessing
from lit_vision.types import Features


class Classifier(nn.Module):
    """Score images: normalise, backbone, and a head on its coarsest level.

    Args:
        backbone: Its coarsest level goes into the head.
        num_classes: K; linked from the data in a recipe.
        normalise: None starts with ImageNet's mean and standard deviation and takes the data's when a run starts.
        head: Makes the head from channels and classes; None is the ResNets', a global average and one layer.
        activation: Rectifier of every layer of backbone and head; None leaves them as they are.
        init: How all weights start; None leaves backbone and head as they were made.
        weights: File or torchvision name (see `models/weights`) for backbone and head. A file of another number of
            classes fills all but the last layer and says so in a warning.

    Attributes:
        fc: The head, by the name that public files of ResNets give their last layer.
        expects: What the weights that it was filled from were trained with; None where nothing is known.
        follows_data: Whether `normalise` takes the data's statistics when a run starts.

    Raises:
        InputError: The weights cannot be found, read or matched, or the network takes no activation.
    """

    expects: Preprocessing | None = None

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        normalise: Normalise | None = None,
        head: MakeHead | None = None,
        activation: Activation | None = None,
        init: Init | None = None,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.follows_data = normalise is None
        self.normalise = normalise or Normalise()
        self.backbone = backbone
        self.level = max(backbone.channels)
        self.fc = (head or GlobalAverage)(backbone.channels[self.level], num_classes)
        if activation is not None:
            activations.replace(self, activation)
        if init is not None:
            init.fill(self)
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
        logits: Tensor = self.fc(self._maps(images, sizes))
        return logits

    def dense(self, images: Tensor, sizes: Tensor | None = None) -> Tensor:
        """Class scores at every position: the network as convolutions, on images of any size.

        Args:
            images: See `forward`.
            sizes: See `forward`.

        Returns:
            Logits [B, K, h, w], of every window of the last map that the head was trained on.

        Raises:
            InputError: The images are so small that the map holds no such window.
        """
        return self.fc.dense(self._maps(images, sizes))

    def _maps(self, images: Tensor, sizes: Tensor | None) -> Tensor:
        features: Features = self.backbone(self.normalise(images, sizes))
        return features[self.level]
