"""What is wrong in a data set's annotations, and what follows from it: stop and tell, or leave out and count."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_only

from lit_vision.data.fetch import cache
from lit_vision.data.formats import annotations
from lit_vision.data.formats.annotations import Annotations
from lit_vision.errors import InputError

Policy = Literal["fail", "skip"]
Box = tuple[float, float, float, float]


class Finding(NamedTuple):
    """One thing that is wrong, or was mended, in an annotation file.

    Attributes:
        file: The annotation file.
        name: The image or annotation it is about, by the file's own number or name.
        kind: What is wrong, in the few words that counts are listed under (`zero size`, `missing image`, …).
        text: The offending value and what it means.
        fatal: Whether the image or object had to be left out; a note otherwise (`clipped`).
        image: The data set's own name of the image, as `Annotations.names` has it; empty where it is about none.
        box: xyxy in the image's pixels, where it is about a box with four numbers.
    """

    file: Path
    name: str
    kind: str
    text: str
    fatal: bool = True
    image: str = ""
    box: Box | None = None

    def __str__(self) -> str:
        return f"{self.file}: {self.name}: {self.kind}: {self.text}"


class Reading(NamedTuple):
    """What a reader made of annotation files.

    Attributes:
        annotations: Sound images and objects only.
        findings: Everything that was left out or mended.
    """

    annotations: Annotations
    findings: list[Finding]


def join(readings: Sequence[Reading]) -> Reading:
    """Several readings as one split."""
    found = annotations.concat([reading.annotations for reading in readings])
    return Reading(found, [finding for reading in readings for finding in reading.findings])


def below(root: Path, reading: Reading) -> Reading:
    """The same reading with the images' files relative to another folder."""
    return reading._replace(annotations=reading.annotations.below(root))


def apply(readings: Sequence[Reading], policy: Policy) -> list[Annotations]:
    """The sound annotations of some readings, if the policy lets them pass. Every finding is listed in a file.

    Args:
        readings: What was read, split by split.
        policy: `fail` refuses any fatal finding; `skip` counts and logs what was left out.

    Raises:
        InputError: Under `fail`; tells how many findings there are, the first, and where the list is.
    """
    # The splits of a data set may share files: each fault is reported once.
    found = list(dict.fromkeys(finding for reading in readings for finding in reading.findings))
    fatal = [finding for finding in found if finding.fatal]
    if found:
        listed = _write(found)
        if fatal and policy == "fail":
            raise InputError(_refusal(fatal, listed))
        if fatal:
            rank_zero_info(f"bad annotations left out: {_counts(fatal)}; listed in {listed}")
        if len(fatal) < len(found):
            notes = [finding for finding in found if not finding.fatal]
            rank_zero_info(f"annotations mended: {_counts(notes)}; listed in {listed}")
    return [reading.annotations for reading in readings]


def _refusal(fatal: Sequence[Finding], listed: str) -> str:
    files = list(dict.fromkeys(finding.file for finding in fatal))
    where = str(files[0]) if len(files) == 1 else f"{len(files)} files"
    first = fatal[0]
    place = first.name if len(files) == 1 else f"{first.file}: {first.name}"
    return (
        f"{len(fatal)} bad annotation(s) in {where} ({_counts(fatal)}), the first:\n"
        f"{place}: {first.kind}: {first.text}\n"
        f"all are listed in {listed}; mend them, or leave them out by --data.bad skip"
    )


def _counts(findings: Iterable[Finding]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in Counter(finding.kind for finding in findings).most_common())


def _write(findings: Sequence[Finding]) -> str:
    """Lists the findings in the cache folder, a file for each set of annotation files; returns where."""
    files = "\n".join(sorted({str(finding.file.resolve()) for finding in findings}))
    path = cache.folder() / "findings" / hashlib.sha256(files.encode()).hexdigest()[:12] / "findings.txt"
    text = "".join(f"{finding}\n" for finding in findings)
    return f"no file, as {path.parent} cannot be written" if _write_once(path, text) is False else str(path)


@rank_zero_only
def _write_once(path: Path, text: str) -> bool:
    """All ranks would write the same; the others, for which this gives None, only tell where it is."""
    return cache.write(path, text.encode())
