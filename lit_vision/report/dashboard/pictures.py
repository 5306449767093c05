"""Pictures of a run, small enough to travel inside its page. No torch here."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lit_vision.report.collect import Run
from lit_vision.report.dashboard import misses
from lit_vision.runs.trained import PLOT

SIDE = 640  # pixels, the longer one
PLOT_SIDE = 960  # lines and letters must stay readable
MOST = 40
MOST_PIXELS = 20_000_000  # those of a run are far smaller; a larger one would fill the memory when unpacked
BUDGET = 3_000_000  # bytes of all pictures of a page; base64 makes 4 MB of them


class Picture(NamedTuple):
    """One entry of the gallery.

    Attributes:
        uri: The picture as a data URI.
        caption: What is wrong with it.
        text: The same for those who cannot see it.
        tiny: Small enough that enlarging must not blur it.
    """

    uri: str
    caption: str
    text: str
    tiny: bool


def of_run(run: Run) -> list[Picture]:
    """The gallery, worst first; pictures that are missing, damaged or outside of the run's folder are left out."""
    found: list[Picture] = []
    room = BUDGET
    for name, caption, text in _entries(run):
        content = _shrunk(run.path, name)
        if content is None or len(found) == MOST:
            continue
        data, tiny = content
        room -= len(data)
        if room < 0:
            break
        uri = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
        found.append(Picture(uri, caption, text, tiny))
    return found


def plots(run: Run) -> list[Picture]:
    """The plots of the run's analyses; its own where the run is an analysis."""
    found = []
    for other in (run, *run.later):
        if content := _shrunk(other.path, PLOT, PLOT_SIDE):
            uri = f"data:image/jpeg;base64,{base64.b64encode(content[0]).decode()}"
            text = f"Plot of the analysis {other.row}"
            found.append(Picture(uri, str(other.row or ""), text, tiny=False))
    return found


def _entries(run: Run) -> Iterator[tuple[str, str, str]]:
    """File below the run's folder, caption, text."""
    for entry in run.diagnosis.get("mistakes") or []:
        truth, guess = (misses.class_name(run.diagnosis, entry.get(key)) for key in ("truth", "predicted"))
        caption = f"{truth} taken for {guess}, score {_two(entry.get('score'))}"
        yield str(entry.get("picture")), caption, f"Image {entry.get('name')}: {caption}"
    for entry in run.diagnosis.get("worst") or []:
        missed, wrong = entry.get("missed"), entry.get("wrong")
        caption = f"F1 {_two(entry.get('f1'))}: {wrong} wrong, {missed} missed"
        text = f"Image {entry.get('name')}, ground truth beside prediction: {caption}"
        yield str(entry.get("picture")), caption, text
    if not run.diagnosis:
        for file in sorted((run.path / "gallery").glob("test_*.jpg")) or sorted((run.path / "gallery").glob("*.jpg")):
            yield f"gallery/{file.name}", file.stem, f"{file.stem}: ground truth beside prediction"


def _two(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, int | float) else "-"


def _shrunk(folder: Path, name: str, side: int = SIDE) -> tuple[bytes, bool] | None:
    """JPEG of at most `side` pixels, and whether it is tiny; None for what is no picture of this folder."""
    from PIL import Image, UnidentifiedImageError

    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()) or not file.is_file():
        return None
    try:
        with Image.open(file, formats=("JPEG", "PNG")) as image:
            if image.width * image.height > MOST_PIXELS:
                return None
            tiny = max(image.size) <= SIDE // 8
            image.thumbnail((side, side))
            out = io.BytesIO()
            image.convert("RGB").save(out, "JPEG", quality=80, optimize=True)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        return None
    return out.getvalue(), tiny
