"""Short hints for misspelt names."""

import difflib
from collections.abc import Iterable


def hint(name: str, choices: Iterable[str]) -> str:
    """`did you mean …?` with the nearest choice, else the list of all (shortened), else nothing.

    What only breaks off goes before what is spelt alike: `--seed` is short for `--seed_everything`, and no `--stages`.
    """
    names = sorted(set(choices))
    longer = [choice for choice in names if choice.startswith(name)] if len(name.lstrip("-")) > 2 else []
    close = longer if len(longer) == 1 else difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    if not names:
        return ""
    shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    return f"choose from: {shown}"
