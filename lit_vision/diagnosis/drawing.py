"""Pictures with boxes, for predictions and for the gallery."""

import colorsys
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lit_vision.types import Detections

Colour = tuple[int, int, int]


def picture(image: Tensor, found: Detections, class_names: Sequence[str], scores: bool = True) -> Image.Image:
    """An image with its boxes, names and scores.

    Args:
        image: uint8 [3, H, W].
        found: In the image's pixels; the best is drawn last, on top.
        class_names: Names by label.
        scores: Whether scores are written, in percent.
    """
    labels = found.labels.tolist()
    texts = [
        class_names[label] + (f" {100 * score:.0f}" if scores else "")
        for label, score in zip(labels, found.scores.tolist(), strict=True)
    ]
    return marked(opened(image), found.boxes.tolist(), texts, [colour_of(label, len(class_names)) for label in labels])


def marked(
    image: Image.Image, boxes: Sequence[Sequence[float]], texts: Sequence[str], colours: Sequence[Colour]
) -> Image.Image:
    """Draws boxes with texts onto an image, the first on top, and returns it.

    Args:
        image: RGB.
        boxes: xyxy in the image's pixels.
        texts: One a box.
        colours: One a box.
    """
    pen = ImageDraw.Draw(image)
    side = min(image.size)
    line, font = max(1, side // 200), ImageFont.load_default(max(9, side // 32))
    for box, text, colour in reversed(list(zip(boxes, texts, colours, strict=True))):
        pen.rectangle(tuple(box), outline=colour, width=line)
        _write(pen, (box[0], box[1]), text, colour, font)
    return image


def opened(image: Tensor) -> Image.Image:
    """A picture of its own from uint8 [3, H, W]."""
    return Image.fromarray(image.permute(1, 2, 0).cpu().numpy())


def fitted(image: Image.Image, width: int, height: int) -> Image.Image:
    """An image as large as fits, its aspect kept; thumbnails grow by whole pixels, so that these can be seen.

    Args:
        image: RGB.
        width: Most pixels across.
        height: Most pixels down.
    """
    scale = min(width / image.width, height / image.height)
    thumbnail = scale >= 4
    scale = float(int(scale)) if thumbnail else scale
    size = (max(1, round(scale * image.width)), max(1, round(scale * image.height)))
    return image.resize(size, Image.Resampling.NEAREST if thumbnail else Image.Resampling.LANCZOS)


def beside(left: Image.Image, right: Image.Image, titles: tuple[str, str]) -> Image.Image:
    """Two pictures of one size side by side, each under its title."""
    font = ImageFont.load_default(14)
    head, gap = 20, 4
    both = Image.new("RGB", (left.width + gap + right.width, left.height + head), "white")
    pen = ImageDraw.Draw(both)
    for shown, title, x in ((left, titles[0], 0), (right, titles[1], left.width + gap)):
        both.paste(shown, (x, head))
        pen.text((x + 2, 2), title, fill="black", font=font)
    return both


def colour_of(label: int, count: int) -> Colour:
    """A colour of its own for every class: hues at equal distances."""
    red, green, blue = colorsys.hsv_to_rgb(label / max(1, count), 0.85, 0.9)
    return round(255 * red), round(255 * green), round(255 * blue)


def _write(
    pen: ImageDraw.ImageDraw,
    corner: tuple[float, float],
    text: str,
    colour: tuple[int, int, int],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    """A label on top of its box, or inside where the picture ends."""
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    x, y = corner[0], max(0, corner[1] - (bottom - top) - 4)
    pen.rectangle((x, y, x + right - left + 4, y + bottom - top + 4), fill=colour)
    pen.text((x + 2, y + 2 - top), text, fill="white" if sum(colour) < 380 else "black", font=font)
