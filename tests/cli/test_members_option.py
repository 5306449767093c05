"""`--members` takes several words, wherever the verb stands."""

import pytest

from lit_vision import cli
from lit_vision.errors import InputError


@pytest.mark.parametrize(
    "arguments",
    [
        ["test", "--members", "a", "b", "--config", "r", "--data.seed", "3"],
        ["--config", "r", "--members", "a", "b", "test", "--data.seed", "3"],
        ["--members", "a", "b", "--config=r", "test", "--data.seed=3"],
    ],
)
def test_several_words(arguments):
    verb, rest = cli._split_verb(arguments)
    assert verb == "test"
    assert cli._options(verb, rest) == ({"configs": ["r"], "members": ["a", "b"]}, [("data.seed", 3)])


def test_without_words_it_is_told():
    with pytest.raises(InputError, match=r"^--members needs run folders; write --members RUN RUN$"):
        cli._options("test", ["--members", "--config", "r"])
