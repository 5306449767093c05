"""Reads what W&B wrote offline: a `.wandb` file is LevelDB's log format, holding W&B's record protobufs.

The file starts with a header of 7 bytes: `:W&B`, a magic number and a version. Then, in blocks of 32 KiB counted from
the start of the file, come frames: CRC (4 bytes), length (2), kind (1), content. A record is one frame of kind 1, or
frames of kinds 2 (first), 3 (middle) and 4 (last); what is left of a block under 7 bytes is padding.
"""

import json
import struct
import zlib

import pytest
import wandb

try:
    from wandb.proto.wandb_internal_pb2 import Record
except ImportError:
    Record = None

BLOCK = 32 * 1024
HEAD = 7
FILE = struct.Struct("<4sHB")
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def records(file):
    """The records of a `.wandb` file; skips the test, saying why, if W&B has moved the format."""
    content = file.read_bytes()
    if Record is None:
        pytest.skip(f"wandb {wandb.__version__} has no wandb.proto.wandb_internal_pb2.Record")
    if len(content) < FILE.size or FILE.unpack_from(content) != (b":W&B", 0xBEE1, 0):
        pytest.skip(f"wandb {wandb.__version__} writes another file header: {content[: FILE.size]!r}")
    for whole in frames(content, FILE.size):
        yield Record.FromString(whole)


def frames(content, place):
    """The contents of the records from a place in the file on."""
    whole = b""
    while place + HEAD <= len(content):
        if (left := BLOCK - place % BLOCK) < HEAD:
            place += left
            continue
        crc, length, kind = struct.unpack_from("<IHB", content, place)
        part = content[place + HEAD : place + HEAD + length]
        if kind not in (WHOLE, FIRST, MIDDLE, LAST) or crc != checksum(bytes([kind]) + part):
            pytest.skip(f"wandb {wandb.__version__} writes other frames: kind {kind} at byte {place}")
        whole = part if kind in (WHOLE, FIRST) else whole + part
        place += HEAD + length
        if kind in (WHOLE, LAST):
            yield whole


def checksum(data):
    """W&B's choice where LevelDB masks CRC-32C: the plain CRC-32."""
    return zlib.crc32(data)


def pieces(folder):
    """The offline pieces that training left in a run's folder, oldest first."""
    wandb.teardown()  # `finish` may return before the file is written; a process does this as it ends
    return sorted((folder / "wandb").glob("offline-run-*/*.wandb"), key=lambda path: path.stat().st_mtime_ns)


def identity(file):
    """The record that says what the run is."""
    (found,) = [record.run for record in records(file) if record.HasField("run")]
    return found


def configuration(file):
    """The configuration that the run was started with."""
    return {item.key: json.loads(item.value_json) for item in identity(file).config.update if item.key != "_wandb"}


def updates(file, kind):
    """What a file says last about every key of its `summary` or its `config`."""
    found = {}
    for record in records(file):
        for item in getattr(record, kind).update:
            found["/".join(item.nested_key) or item.key] = json.loads(item.value_json)
    return found


def history(file):
    """All history entries, nested keys joined by a slash."""
    return [
        {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
        for record in records(file)
        if record.HasField("history")
    ]


def figures(file):
    """The history as lines of `metrics.jsonl` are, time aside: step and figures."""
    return [
        {"step": line["trainer/global_step"]} | {key: value for key, value in line.items() if _is_figure(key, value)}
        for line in history(file)
        if "trainer/global_step" in line and any(_is_figure(key, value) for key, value in line.items())
    ]


def _is_figure(key, value):
    """W&B's own keys, Lightning's epoch and media aside."""
    apart = key.startswith(("_", "diagnosis/")) or key in ("trainer/global_step", "epoch") or "/gallery/" in key
    return not apart and isinstance(value, (int, float))


def uploaded(file):
    """Paths of the files that a piece asks to be sent, in order, one for each time it asks."""
    return [item.path for record in records(file) if record.HasField("files") for item in record.files.files]


def artifacts(file):
    """The artifacts of a piece: type, name, aliases, and the local path of each file by its name."""
    return [
        (
            found.type,
            found.name,
            {*found.aliases},
            {entry.path: entry.local_path for entry in found.manifest.contents},
        )
        for found in (record.artifact for record in records(file) if record.HasField("artifact"))
    ]
