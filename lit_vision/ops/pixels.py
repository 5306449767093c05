"""From the pixels of a resized image back to those of its file."""

from torch import Tensor

from lit_vision.types import Detections


def to_original(found: Detections, size: Tensor, original_size: Tensor) -> Detections:
    """Scales boxes and windows of masks to the original image, and clips the boxes there.

    Args:
        found: Detections in a resized image.
        size: int64 [2], height and width of that image without padding.
        original_size: int64 [2], height and width of the file's image.

    Returns:
        The same detections with float32 boxes and windows in original pixels.
    """
    # Height and width each have a factor of their own: a resized side is rounded to whole pixels.
    factor = (original_size.double() / size.double()).flip(0).repeat(2).to(found.boxes)
    limit = original_size.flip(0).repeat(2).to(found.boxes)
    boxes = (found.boxes * factor).clamp(min=0).minimum(limit)
    return found._replace(boxes=boxes, windows=found.windows.to(boxes) * factor)
