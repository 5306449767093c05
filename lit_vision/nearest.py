"""Short hints for misspelt names."""

import difflib
from collections.abc import Iterable


def hint(name: str, choices: Iterable[str]) -> str:
    """`did you mean …?` with the nearest choice, else the list of all (shortened), else nothing."""
    names = sorted(set(choices))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    if not names:
        return ""
    shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    return f"choose from: {shown}"
