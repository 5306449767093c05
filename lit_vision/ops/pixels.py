"""From the pixels of a resized image back to those of its file."""

from torch import Tensor

from lit_vision.types import Detections


def to_original(found: Detections, size: Tensor, original_size: Tensor) -> Detections:
    """Scales boxes to the original image and clips them there.

    Args:
        found: Detections in a resized image.
        size: int64 [2], height and width of that image without padding.
        original_size: int64 [2], height and width of the file's image.

    Returns:
        The same detections with float32 boxes in original pixels.
    """
    # Height and width each have a factor of their own: a resized side is rounded to whole pixels.
    factor = (original_size.double() / size.double()).flip(0).repeat(2).to(found.boxes)
    limit = original_size.flip(0).repeat(2).to(found.boxes)
    return found._replace(boxes=(found.boxes * factor).clamp(min=0).minimum(limit))
