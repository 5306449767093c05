"""The one YAML loader: recipes, rows, command-line values and saved configurations all read the same way.

It differs from PyYAML's safe loader where YAML 1.1 surprises: `1e-3` is a number, a key given twice is an error, and an
empty file is an error. No torch here.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from lit_vision.errors import InputError

_FLOAT = re.compile(
    r"""^[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
        |[0-9][0-9_]*[eE][-+]?[0-9]+
        |\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?
        |\.(?:inf|Inf|INF))$
        |^\.(?:nan|NaN|NAN)$""",
    re.X,
)


class _Loader(yaml.SafeLoader):
    """Safe loader with YAML 1.2 floats and unique keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


# The inherited resolver would claim `1e-3` as a string: drop its float rule, then add ours.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:float"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


def value(text: str) -> Any:
    """A command-line value as YAML reads it; text that is no YAML stays text."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError:
        return text


def load(path: Path) -> dict[str, Any]:
    """Reads one configuration file.

    Raises:
        InputError: If the file is missing, empty, no mapping, or not YAML; names file and line.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{path}{line}: {error.problem or error.context}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as YAML text ({error})".replace("\n", " ")) from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    if not isinstance(content, dict):
        got = "is empty" if content is None else f"holds a {type(content).__name__}"
        raise InputError(f"{path} {got}; expected a mapping with keys such as card, data, model, trainer")
    return content


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
