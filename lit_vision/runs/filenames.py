"""File names from names in data: classes, recipes, images. Safe, different for different names, and readable.

Letters and digits of every script, spaces and `_ - . + , ( ) @ =` stay; all else is written as `%XX`, byte by byte, as
in a URL. So is a dot at the beginning, which hides a file or leads upwards. A name too long for a file system is cut,
and ends in a digest of the whole.
"""

import hashlib
import re
from urllib.parse import unquote_to_bytes

LONGEST = 160  # bytes, which leaves room for what stands before and after

_UNSAFE = re.compile(r"^\.|[^\w \-.+,()@=]|\s+$")


def of(name: str) -> str:
    """A name as a part of a path; the same name has the same file, and different names have different ones."""
    safe = _UNSAFE.sub(_escaped, name) or "%"
    encoded = safe.encode()
    if len(encoded) <= LONGEST:
        return safe
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{encoded[: LONGEST - 18].decode(errors='ignore')}%%{digest}"


def name(file: str) -> str:
    """The name that `of` made a file name of, unless it was cut."""
    return "" if file == "%" else unquote_to_bytes(file).decode(errors="surrogatepass")


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode(errors="surrogatepass"))
