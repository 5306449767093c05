"""Pictures with boxes, for predictions and for the gallery."""

import colorsys
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lit_vision.types import Detections


def picture(image: Tensor, found: Detections, class_names: Sequence[str], scores: bool = True) -> Image.Image:
    """An image with its boxes, names and scores.

    Args:
        image: uint8 [3, H, W].
        found: In the image's pixels; the best is drawn last, on top.
        class_names: Names by label.
        scores: Whether scores are written, in percent.
    """
    drawn = Image.fromarray(image.permute(1, 2, 0).cpu().numpy())
    pen = ImageDraw.Draw(drawn)
    side = min(drawn.size)
    line, font = max(1, side // 200), ImageFont.load_default(max(9, side // 32))
    for box, score, label in reversed(list(zip(*(part.tolist() for part in found), strict=True))):
        colour = colour_of(label, len(class_names))
        pen.rectangle(box, outline=colour, width=line)
        text = class_names[label] + (f" {100 * score:.0f}" if scores else "")
        _write(pen, (box[0], box[1]), text, colour, font)
    return drawn


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


def colour_of(label: int, count: int) -> tuple[int, int, int]:
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
