"""JSON from files that anybody may have written: whatever is wrong with it is told in one way. No torch here.

A file of a run may come from an archive. Python's reader answers with four kinds of errors, and lets through integers
that no float holds and halves of characters that no file can hold; a page would fall over them much later.
"""

import json
import re
from pathlib import Path
from typing import Any

from lit_vision import files
from lit_vision.errors import InputError

LARGEST = 2**63 - 1  # what tensors, arrays and databases hold; all that we count is far below

_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a pair that stands for one character; alone it is none


def _whole(text: str) -> int:
    number = int(text)  # of more than 4,300 digits: a ValueError of Python's own
    if abs(number) > LARGEST:
        raise ValueError(f"a whole number of {len(text)} digits")
    return number


_DECODER = json.JSONDecoder(parse_int=_whole)


def parse(content: bytes) -> Any:
    """The value of a text.

    Raises:
        ValueError: It is no JSON in UTF-8, is nested too deeply, or holds a whole number beyond 64 bits or text that
            is no Unicode.
    """
    text = content.decode()
    try:
        value = _DECODER.decode(text)
        if _HALF.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def read(file: Path, remedy: str) -> dict[str, Any]:
    """The mapping in a file.

    Args:
        file: One of a run's.
        remedy: What to do about a damaged one.

    Raises:
        InputError: It cannot be read, or holds no mapping.
    """
    try:
        content = parse(files.content(file))
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}); {remedy}") from None
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise InputError(f"{file} is damaged; {remedy}")
    return content
