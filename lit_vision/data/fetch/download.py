"""Files from the net: continued where they broke off, checked, unpacked. No torch here."""

import hashlib
import http.client
import platform
import ssl
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from lit_vision.errors import InputError

_CHUNK = 1 << 20  # bytes
_TIMEOUT = 30.0  # seconds without an answer
_PAUSES = (1.0, 4.0, 15.0)  # seconds before each further attempt
_BROKEN = (ConnectionError, TimeoutError, ssl.SSLError, urllib.error.URLError, http.client.HTTPException)


class Archive(NamedTuple):
    """A file on a server.

    Attributes:
        url: Where it is.
        checksum: `md5:…`, `sha256:…`, or empty where its publisher tells none.
        members: Paths below the root that are there once it is unpacked.
        top: Folder in the archive whose content belongs into the root; empty if that is all of it.
    """

    url: str
    checksum: str
    members: tuple[str, ...]
    top: str = ""

    @property
    def file(self) -> str:
        """Its name."""
        return self.url.rpartition("/")[2]


def install(archives: tuple[Archive, ...], root: Path) -> None:
    """Fetches and unpacks what is not there yet. An archive that was copied into the root by hand is used.

    Archives stay where they are; they can be removed afterwards.

    Raises:
        InputError: If a file cannot be fetched, is damaged, or the disk is full.
    """
    for archive in archives:
        path = root / archive.file
        # Members exist from an archive's first file on; while the archive is there, only this mark says that all do.
        done = root / f".{archive.file}.unpacked"
        if all((root / member).exists() for member in archive.members) and (done.is_file() or not path.is_file()):
            continue
        fetch(archive.url, path, archive.checksum)
        unpack(path, root, archive.top)
        done.touch()


def fetch(url: str, path: Path, checksum: str = "", pauses: tuple[float, ...] = _PAUSES) -> None:
    """Downloads a file; a file that broke off (`<path>.part`) is continued, in this call and in later ones.

    Args:
        url: What to fetch.
        path: Where to put it; nothing is done where it already is and has the right checksum.
        checksum: `md5:…` or `sha256:…` in hexadecimal digits; empty for none.
        pauses: Seconds before each further attempt when the connection breaks.

    Raises:
        InputError: If the server cannot be reached, refuses, or sends another file than the checksum's.
    """
    if path.is_file():
        _verify(path, checksum, f"remove {path} and try again")
        return
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _attempts(url, part, pauses)
    except (OSError, http.client.HTTPException) as error:
        raise InputError(
            f"{url} could not be fetched: {_reason(error)};\n"
            f"what has arrived is kept, the same command continues; or copy the file to {path} by hand"
        ) from None
    try:
        _verify(part, checksum, "it was removed; try again")
    except InputError:
        part.unlink()
        raise
    part.replace(path)


def unpack(path: Path, root: Path, top: str = "") -> None:
    """Unpacks a tar or zip archive; members that would land outside of the root are refused.

    Args:
        path: The archive.
        root: Folder to unpack it into.
        top: Folder in a tar archive that the root takes the place of.

    Raises:
        InputError: If the archive is damaged or the disk is full.
    """
    try:
        if zipfile.is_zipfile(path):
            _unzip(path, root)
        else:
            _refuse_without_filters(path, root)
            with tarfile.open(path) as tar:
                tar.extractall(root, filter=partial(_member, top))
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        raise InputError(f"{path} cannot be unpacked ({reason}); remove it and fetch it again") from None
    except OSError as error:
        raise InputError(f"{path} could not be unpacked into {root}: {error.strerror or error}") from None


def _refuse_without_filters(path: Path, root: Path) -> None:
    """Python before 3.11.4 cannot keep a member of a tar archive from leaving its folder."""
    if not hasattr(tarfile, "data_filter"):
        raise InputError(
            f"{path}: unpacking a tar archive safely needs Python 3.11.4, and this is {platform.python_version()};\n"
            f"use a newer Python, or unpack it into {root} by another program"
        )


def _attempts(url: str, part: Path, pauses: tuple[float, ...]) -> None:
    """Connects anew when a connection breaks; each one that brought something on starts the count of pauses again."""
    left, begun = list(pauses), _size(part)
    while True:
        before = _size(part)
        try:
            return _receive(url, part)
        except urllib.error.HTTPError:
            raise  # an answer, though not the one hoped for
        except _BROKEN as error:
            if _size(part) > before:
                left = list(pauses)
            never_reached = isinstance(error, urllib.error.URLError) and _size(part) == begun
            if not left or never_reached:
                raise
            time.sleep(left.pop(0))


def _receive(url: str, part: Path) -> None:
    """One connection: from the first byte that is missing to the last, or an error."""
    start = _size(part)
    headers = {"User-Agent": "lit-vision"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        # 416: nothing lies beyond what is here, so it is complete, or too much of another file.
        if error.code == 416 and error.headers.get("Content-Range", "").endswith(f"/{start}"):
            return
        if error.code == 416:
            part.unlink()
            return _receive(url, part)
        raise
    with answer:
        continued = answer.status == 206
        length = answer.headers.get("Content-Length")
        kept = start if continued else 0  # a server without ranges sends all of it again
        total = kept + int(length) if length else None
        _save(answer, part, kept, total)
    if total is not None and _size(part) != total:
        raise http.client.IncompleteRead(b"", total - _size(part))


def _save(answer: http.client.HTTPResponse, part: Path, kept: int, total: int | None) -> None:
    name = part.name.removesuffix(".part")
    with (
        part.open("ab" if kept else "wb") as file,
        tqdm(desc=name, initial=kept, total=total, unit="B", unit_scale=True, unit_divisor=1024) as progress,
    ):
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
            progress.update(len(chunk))


def _verify(path: Path, checksum: str, advice: str) -> None:
    if not checksum:
        return
    kind, _, expected = checksum.partition(":")
    with path.open("rb") as file:
        got = hashlib.file_digest(file, kind).hexdigest()
    if got != expected:
        raise InputError(f"{path} is damaged or another file: its {kind} is {got}, expected {expected};\n{advice}")


def _member(top: str, member: tarfile.TarInfo, root: str) -> tarfile.TarInfo | None:
    """The member as it is unpacked; None for what lies above the wanted folder."""
    if top and not member.name.startswith(f"{top}/"):
        return None
    return tarfile.data_filter(member.replace(name=member.name.removeprefix(f"{top}/"), deep=False), root)


def _unzip(path: Path, root: Path) -> None:
    """`zipfile` drops drive letters and leading `..` by itself; such an archive is not what was asked for."""
    base = root.resolve()
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not (base / member.filename).resolve().is_relative_to(base):
                raise InputError(f"{path}: its member {member.filename!r} would land outside of {root}; remove it")
            target = base / member.filename
            if not member.is_dir() and target.is_file() and target.stat().st_size == member.file_size:
                continue  # unpacked before an interruption
            archive.extract(member, base)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection broke off"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return (str(reason).strip() or type(error).__name__).splitlines()[0]
