"""The one YAML loader: recipes, rows, command-line values and saved configurations all read the same way.

It differs from PyYAML's safe loader where YAML 1.1 surprises: `1e-3` is a number, the key `on` is a word, a key given
twice is an error, and an empty file is an error. Anchors are taken, but a file may not unfold to more than `MOST_NODES`
values, nor hold itself. No torch here.
"""

import errno
import re
from pathlib import Path
from typing import Any

import yaml

from lit_vision import files
from lit_vision.errors import InputError

MOST_BYTES = 2_000_000
MOST_DIGITS = 100  # of a whole number, in any notation
LARGEST = 2**63 - 1
MOST_NODES = 100_000  # values of a file, those that an alias repeats counted each time

_FLOAT = re.compile(
    r"""^[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
        |[0-9][0-9_]*[eE][-+]?[0-9]+
        |\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?
        |\.(?:inf|Inf|INF))$
        |^\.(?:nan|NaN|NAN)$""",
    re.X,
)


_BOOL, _TEXT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:str"


class _Loader(yaml.SafeLoader):
    """Safe loader with YAML 1.2 floats, keys that are words, unique, and bounded anchors."""

    def get_single_node(self) -> yaml.Node | None:
        """The tree of a document, before anything is made of it."""
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            _count(node, {})
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """A whole number of at most 64 bits: no float, tensor or message holds the others."""
        text = node.value if isinstance(node.value, str) else ""
        number = int(super().construct_yaml_int(node)) if 0 < len(text) <= MOST_DIGITS else LARGEST + 1
        if abs(number) > LARGEST:
            told = f"{text:.20} is a number beyond 64 bits" if text else "a number is missing"
            raise yaml.constructor.ConstructorError(None, None, told, node.start_mark)
        return number

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is no text", key_node.start_mark)
            if key_node.tag == _BOOL:
                key_node.tag = _TEXT
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """Values below a node once all aliases are followed; each node is visited once.

    Raises:
        yaml.MarkedYAMLError: If there are too many, or a node is below itself.
    """
    if id(node) not in known:
        known[id(node)] = 0  # in hand
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        below = [part for pair in pairs for part in pair] or (node.value if isinstance(node, yaml.SequenceNode) else [])
        known[id(node)] = 1 + sum(_count(part, known) for part in below)
    elif known[id(node)] == 0:
        raise yaml.MarkedYAMLError(problem="an anchor holds itself", problem_mark=node.start_mark)
    if known[id(node)] > MOST_NODES:
        raise yaml.MarkedYAMLError(
            problem=f"anchors unfold to more than {MOST_NODES} values", problem_mark=node.start_mark
        )
    return known[id(node)]


# The inherited resolver would claim `1e-3` as a string: drop its float rule, then add ours.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:float"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


def _read(text: str) -> Any:
    """What a text holds.

    Raises:
        yaml.YAMLError: It is no YAML. PyYAML itself meets a tag that does not fit its value, such as `!!bool maybe`,
            with errors of many kinds.
        ValueError, RecursionError: Likewise.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        raise yaml.YAMLError(f"a tag or an escape does not fit: {error}") from None


def value(text: str) -> Any:
    """A command-line value as YAML reads it; text that is no YAML stays text."""
    try:
        return _read(text)
    except (yaml.YAMLError, ValueError, RecursionError):  # `2001-99-99` looks like a date, but is none
        return text


def load(path: Path) -> dict[str, Any]:
    """Reads one configuration file.

    Raises:
        InputError: If the file is missing, empty, too large, no mapping, or not YAML; names file and line.
    """
    try:
        content = _read(files.content(path, MOST_BYTES).decode())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{path}{line}: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{path}: not readable as YAML text ({error})".replace("\n", " ")) from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply to be a configuration; name another file") from None
    except OSError as error:
        remedy = "; no configuration is so large, name another file" if error.errno == errno.EFBIG else ""
        raise InputError(f"{path}: {error.strerror or error}{remedy}") from None
    if not isinstance(content, dict):
        got = "is empty" if content is None else f"holds a {type(content).__name__}"
        raise InputError(f"{path} {got}; expected a mapping with keys such as card, data, model, trainer")
    for key in content:
        if not isinstance(key, str):
            raise InputError(
                f"{path}: the key {key!r:.40} is no text; expected keys such as card, data, model, trainer"
            )
    unfolded: dict[str, Any] = _unfolded(content)
    return unfolded


def _unfolded(value: Any) -> Any:
    """A copy that nothing in it shares: what is set in one place of an anchor does not change the others."""
    if isinstance(value, dict):
        return {key: _unfolded(part) for key, part in value.items()}
    return [_unfolded(part) for part in value] if isinstance(value, list) else value


def parse(text: str) -> Any:
    """YAML text that this program wrote itself."""
    return yaml.load(text, Loader=_Loader)


class _Dumper(yaml.SafeDumper):
    """Safe dumper without anchors, which a reader of a saved configuration would have to follow."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers  # so that the text "1e-3" is written in quotes


def dump(content: Any) -> str:
    """Block-style YAML that `load` reads back as the same values, in the order given."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
