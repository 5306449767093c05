"""Spoilt files by the number of a case: one thing in a sound file is not what it should be, or not there.

A case is a function of its number, so that a failure can be looked at again.
"""

import io
import json
import random
import signal
import zipfile
from xml.etree import ElementTree

import numpy as np
import yaml

from lit_vision.errors import LONGEST, InputError

SECONDS = 30  # without end: no small file takes so long, on a machine that has other things to do

VALUES = (
    *(None, True, False, 0, 1, -1, 1.5, -0.0, 1e308, -1e308, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**64), 10**400),
    *(float("nan"), float("inf"), float("-inf"), "", " ", "x", "0", "1e999", "nan", "None", "2099-99-99"),
    *(
        "a" * 100_000,
        "\x00",
        "\ud800",
        "é",
        "\u202eevil",
        "error: x\n" * 9,
        "../../../etc/passwd",
        "/dev/zero",
        "%s%n{0}",
    ),
    *(
        "${env}",
        "<script>alert(1)</script>",
        "[red]x[/red]",
        "__import__('os').system('x')",
        "subprocess.Popen",
        "🙂" * 80,
    ),
    *([], [[]], {}, {"a": {}}, [None] * 50, [1, 2, 3], {"": None}, {"class_path": "subprocess.Popen"}, [[1, 2], [3]]),
)


def places(value, above=()):
    """Every place below a value, as keys from the top."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in entries:
        yield (*above, key)
        yield from places(below, (*above, key))


def content(sound, number):
    """Plain values with one or two places spoilt."""
    draw = random.Random(f"content {number}")
    spoilt = json.loads(json.dumps(sound))
    for _ in range(draw.choice((1, 1, 2))):
        if not (known := list(places(spoilt))):
            return spoilt
        *above, last = draw.choice(known)
        node = spoilt
        for key in above:
            node = node[key]
        _spoil(node, last, draw)
    return spoilt


def _spoil(node, key, draw):
    action = draw.randrange(10)
    if action == 0:
        del node[key]
    elif action == 1 and isinstance(node, dict):
        node[draw.choice(("", f"{key} ", str(key).upper(), "__class__", "x" * 300))] = node.pop(key)
    elif action == 2 and isinstance(node, list):
        node.extend([node[key]] * draw.choice((1, 1_000)))
    elif action == 3:
        node[key] = _deep(draw.choice((50, 400)))
    else:
        node[key] = draw.choice(VALUES)


def _deep(levels):
    value = 0
    for _ in range(levels):
        value = [value]
    return value


def text(sound, number):
    """Bytes of a text file, torn, mixed up, or in another encoding."""
    draw = random.Random(f"text {number}")
    data = bytearray(sound)
    action = draw.randrange(7)
    at = draw.randrange(len(data) + 1)
    if action == 0:
        del data[at:]
    elif action == 1:
        data[at:at] = draw.choice(
            (b"\x00", b"\xff\xfe", b"\xc3", b"]]>", b"[" * 50_000, b"{" * 50_000, b"&x;", b"<" * 9_999)
        )
    elif action == 2:
        data[at : at + draw.randrange(40)] = bytes(draw.randrange(256) for _ in range(20))
    elif action == 3:
        data = bytearray(bytes(data).decode(errors="replace").encode(draw.choice(("utf-16", "utf-32", "utf-8-sig"))))
    elif action == 4:
        data += bytes(data)
    elif action == 5:
        data[:0] = draw.choice((b"\xef\xbb\xbf\xef\xbb\xbf", b"\n\n", b"\x00" * 100, b"%PDF-1.7\n", b"PK\x03\x04"))
    else:
        data = bytearray(draw.choice((b"", b"null", b"0", b'""', b"[]", b"\n" * 100_000, b"nan", b"{}", b"---\n---\n")))
    return bytes(data)


def as_json(sound, number):
    """A JSON file: every fifth is spoilt as text, the others in their values."""
    if number % 5 == 0:
        return text(json.dumps(sound).encode(), number)
    return json.dumps(content(sound, number)).encode()


def as_yaml(sound, number):
    """A YAML file, of which JSON is a part; half of them hold characters and no escapes."""
    if number % 5 == 0:
        return text(yaml.safe_dump(sound).encode(), number)
    return json.dumps(content(sound, number), ensure_ascii=bool(number % 2)).encode(errors="surrogatepass")


def as_lines(sound, number):
    """A file of JSON lines, one of them spoilt."""
    lines = [json.dumps(entry).encode() for entry in sound]
    at = random.Random(f"line {number}").randrange(len(lines))
    lines[at] = as_json(sound[at], number)
    return b"\n".join(lines) + b"\n"


DOCTYPES = (
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY x "&b;&b;&b;&b;&b;&b;">]>',
    b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd">',
    *(
        b'<?xml version="1.0" encoding="%b"?>' % name
        for name in (b"utf-16", b"idna", b"rot13", b"zlib", b"x" * 100_000)
    ),
    *(b'<?xml version="1.0" encoding="%b"?>' % name for name in (b"unicode_escape", b"undefined", b"utf-7", b"mbcs")),
)


def as_xml(sound, number):
    """An XML file: spoilt as text, in its declaration, or in one of its elements."""
    if number % 4 == 0:
        return text(sound, number)
    draw = random.Random(f"xml {number}")
    if number % 4 == 1:
        return draw.choice(DOCTYPES) + sound
    root = ElementTree.fromstring(sound)
    parents = [(parent, child) for parent in root.iter() for child in parent]
    parent, child = draw.choice(parents)
    action = draw.randrange(4)
    if action == 0:
        parent.remove(child)
    elif action == 1:
        parent.extend([child] * draw.choice((1, 500)))
    elif action == 2:
        parent.append(parent.makeelement(child.tag, {}))
    else:
        texts = [str(value) for value in VALUES if not {"\x00", "\ud800"} & set(str(value))]
        child.text = draw.choice(texts)
    return ElementTree.tostring(root, draw.choice(("utf-8", "us-ascii")))


def as_npz(sound, number):
    """A file of arrays: torn, or one array of another kind, shape or content, or an archive of something else."""
    draw = random.Random(f"npz {number}")
    arrays = {name: value.copy() for name, value in sound.items()}
    name = draw.choice(sorted(arrays))
    action = draw.randrange(8)
    if action == 0:
        del arrays[name]
    elif action == 1:
        other = draw.choice(("U9", "S9", "f2", "c16", "?", ">f8", "i2", "u8"))
        arrays[name] = np.arange(9) if arrays[name].dtype.kind == "U" else arrays[name].astype(other)
    elif action == 2:
        arrays[name] = draw.choice(
            (arrays[name][:0], arrays[name][None], arrays[name][:1], np.array(0), np.zeros((0, 4)))
        )
    elif action == 3 and arrays[name].dtype.kind in "fi":
        arrays[name].reshape(-1)[draw.randrange(arrays[name].size)] = draw.choice((-1, 2**31 - 1, -(2**31), 0, 7))
    elif action == 4 and arrays[name].dtype.kind == "f":
        arrays[name].reshape(-1)[draw.randrange(arrays[name].size)] = draw.choice((np.nan, np.inf, -np.inf, 3e38, -2.0))
    elif action == 5:
        arrays[name] = np.array([{"a": 1}, "x"], dtype=object)
    file = io.BytesIO()
    np.savez(file, **arrays)
    data = file.getvalue()
    if action == 6:
        return text(b"PK\x03\x04" + data, number) if draw.randrange(2) else data[: draw.randrange(len(data))]
    return _claiming(name, draw) if action == 7 else data


def _claiming(name, draw):
    """An archive whose member says that it is larger than all memory, or that is no array."""
    header = (
        b"\x93NUMPY\x01\x00"
        + draw.choice(
            (
                b"\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 4), }",
                b"\x76\x00{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
                b"\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (-3,), }",
                b"\x76\x00__import__('os').system('touch ran')",
                b"\xff\xff" + b"[" * 60_000,
            )
        ).ljust(120)
        + b"\n"
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.npy", header + b"\x00" * draw.choice((0, 1_000)))
    return file.getvalue()


NAMES = (
    *(
        "..",
        ".hidden",
        "-rf",
        "a" * 255,
        "é" * 127,
        "n/a",
        "a\\b",
        "a:b",
        "CON",
        "nul.txt",
        "%2e%2e",
        "%",
        "%%",
        "a%00b",
        "~",
    ),
    *(
        "$(touch ran)",
        "`touch ran`",
        "a;b",
        "a|b",
        "a b ",
        " a",
        "a\tb",
        "a\nb",
        "a\rb",
        "\x1b[31mred",
        "\u202egpj",
        "<b>",
    ),
    *(
        "'",
        '"',
        "{0}",
        "%s",
        "🙂",
        "a" * 300,
        "./..",
        "../../../precious",
        "/etc/passwd",
        "a/../b",
        "Ａ",
        "ſ",
        "\x7f",
        "\u2028",
    ),
)


def name(number):
    """A name of a class or of a file."""
    draw = random.Random(f"name {number}")
    if number < len(NAMES):
        return NAMES[number]
    return "".join(draw.choice(draw.choice(NAMES)) for _ in range(draw.randrange(1, 60)))


class HungError(Exception):
    """It took longer than `SECONDS`."""


USED, REFUSED = "used", "refused"


def outcome(work):
    """`USED`, `REFUSED` in at most three lines, or what else happened: a case that did not hold."""

    def late(*_):
        raise HungError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        work()
    except InputError as error:
        lines = str(error).splitlines()
        fits = 0 < len(lines) <= 3 and all(len(line) <= LONGEST for line in lines)
        return REFUSED if fits else f"{len(lines)} lines of {len(str(error))} characters: {str(error)[:80]}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:120]}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return USED
