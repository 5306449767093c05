"""Pickles of containers, numbers, text and NumPy arrays, read without running anything that they name.

An unpickler calls what a file names. Here a file can name a handful, and none of them is real: in the place of NumPy's
constructors stand objects of this module that only note their arguments, so that no code of NumPy meets a hostile one.
Everything else is refused by name. Arrays are made afterwards, from bytes whose number must fit shape and type.
"""

import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lit_vision.errors import InputError

Array = np.ndarray[Any, Any]

_UNDER_WAY = object()
_NUMBER = re.compile(r"[<>|=]?([biuf])([1248])")


def read(path: Path, what: str) -> Any:
    """The content of a pickle of Python 2 or 3.

    Args:
        path: The file.
        what: What the file is for, at the beginning of messages.

    Raises:
        InputError: There is no such file, it is damaged, or it names anything but NumPy arrays and plain values.
    """
    try:
        with path.open("rb") as file:
            return _plain(_Unpickler(file, encoding="latin1").load(), {})
    except FileNotFoundError:
        raise InputError(f"{what}: there is no file {path}") from None
    except _RefusedError as error:
        raise InputError(
            f"{what}: {path} names {error}, which could run code; nothing was run\n"
            "only containers, numbers, text and NumPy arrays of numbers are read"
        ) from None
    except Exception as error:  # damage shows as an error of any kind
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{what}: {path} is no readable pickle ({reason[:100]})") from None


class _RefusedError(Exception):
    """A name that a pickle must not have."""


class _Unpickler(pickle.Unpickler):
    """Finds the objects below by the names of NumPy's constructors, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        known = _KNOWN.get((module.replace("numpy._core", "numpy.core"), name))
        if known is None:
            raise _RefusedError(f"{module}.{name}")
        return _Called(known)


class _Called:
    """A function that a file may call, and whose own attributes it cannot set."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise _RefusedError("the attributes of a constructor")


class _Kind:
    """A type of numbers, and the order of its bytes."""

    __slots__ = ("_order", "_text")

    def __init__(self, text: Any, *_: Any) -> None:
        if not isinstance(text, str) or not _NUMBER.fullmatch(text):
            raise _RefusedError(f"the NumPy type {text!r}")
        self._text = text
        self._order: Literal["<", ">", "="] = "="

    def __setstate__(self, state: Any) -> None:
        self._order = state[1] if state[1] in ("<", ">") else "="

    def made(self) -> np.dtype[Any]:
        return np.dtype(self._text).newbyteorder(self._order)


class _Noted:
    """An array as the file describes it: shape, type, order of its axes, bytes."""

    __slots__ = ("_state",)

    def __init__(self, *_: Any) -> None:
        self._state: tuple[Any, ...] = ()

    def __setstate__(self, state: Any) -> None:
        self._state = tuple(state)[-4:]

    def made(self) -> Array:
        shape, kind, by_columns, content = self._state
        content = content.encode("latin1") if isinstance(content, str) else bytes(content)  # Python 2 wrote text
        flat = np.frombuffer(content, kind.made())
        if len(flat) != math.prod(shape):
            raise ValueError(f"an array of shape {shape} holds {len(flat)} numbers")
        return flat.reshape(shape, order="F" if by_columns else "C").astype(flat.dtype.newbyteorder("="))


def _from_buffer(content: Any, kind: _Kind, shape: Any, order: str) -> _Noted:
    """What protocol 5 calls."""
    noted = _Noted()
    noted.__setstate__((shape, kind, order == "F", content))
    return noted


def _scalar(kind: _Kind, content: Any) -> _Noted:
    noted = _Noted()
    noted.__setstate__(((), kind, False, content))
    return noted


def _encoded(text: str, codec: str) -> bytes:
    """What Python 3 writes for bytes where Python 2 is to read them."""
    if codec != "latin1":
        raise _RefusedError(f"the codec {codec}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """What Python 3 writes for bytes without any, where Python 2 is to read them."""
    return b""


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _Noted,
    ("numpy", "dtype"): _Kind,
    ("numpy.core.multiarray", "_reconstruct"): _Noted,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("_codecs", "encode"): _encoded,
    ("__builtin__", "bytes"): _no_bytes,
}


def _plain(value: Any, made: dict[int, Any]) -> Any:
    """The value with arrays for what stood for them, each container once; one that holds itself is refused."""
    if isinstance(value, _Noted):
        array = value.made()
        return array if array.ndim else array.item()
    if not isinstance(value, (dict, list, tuple)):
        return value
    if id(value) not in made:
        made[id(value)] = _UNDER_WAY
        inner = list(value.items() if isinstance(value, dict) else value)
        found = [_plain(one, made) for one in inner]
        made[id(value)] = dict(found) if isinstance(value, dict) else found
    if made[id(value)] is _UNDER_WAY:
        raise ValueError("a container holds itself")
    return made[id(value)]
