import argparse

import pytest

from lit_vision.errors import InputError
from lit_vision.verbs import arguments
from lit_vision.verbs.arguments import Parser

USAGE = ";\nwrite tool copy [-h] [--times TIMES] files [files ...]"


def parser():
    made = Parser("tool", description="Does things.")
    below = made.add_subparsers(dest="verb", required=True)
    copy = below.add_parser("copy")
    copy.add_argument("files", nargs="+")
    copy.add_argument("--times", type=arguments.count, default=1)
    return made


def message(*argv):
    with pytest.raises(InputError) as caught:
        parser().read(argv)
    return str(caught.value)


def test_reads_what_argparse_reads():
    assert vars(parser().read(["copy", "a", "b", "--times=3"])) == {"verb": "copy", "files": ["a", "b"], "times": 3}


def test_a_file_that_looks_like_an_option_stands_behind_two_dashes():
    assert parser().read(["copy", "--", "--tmes"]).files == ["--tmes"]


def test_every_slip_is_told_with_the_nearest_name_or_how_to_write_it():
    assert message() == "tool needs one of: copy"
    assert message("cpoy") == "tool cpoy: unknown; did you mean 'copy'?"
    assert message("--times") == "tool: unknown option --times; choose from: --help"
    assert message("copy") == "tool copy: the following arguments are required: files" + USAGE
    assert message("copy", "a", "--times", "-1") == (
        "tool copy: argument --times: expected a whole number of at least 1, got '-1'" + USAGE
    )
    assert message("copy", "a", "--times") == "tool copy: argument --times: expected one argument" + USAGE


def test_a_misspelt_option_is_told_before_what_it_leaves_missing():
    assert message("copy", "--tmes=3") == "tool copy: unknown option --tmes; did you mean '--times'?"


def test_an_abbreviation_is_no_option():
    """What is short for one option today would be ambiguous with the next."""
    assert message("copy", "a", "--tim", "3") == "tool copy: unknown option --tim; did you mean '--times'?"


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", ""])
def test_count_refuses(text):
    with pytest.raises(argparse.ArgumentTypeError, match=f"expected a whole number of at least 1, got '{text}'"):
        arguments.count(text)


def test_count_reads():
    assert arguments.count("12") == 12


def test_help_still_prints_the_usage(capsys):
    with pytest.raises(SystemExit) as ended:
        parser().read(["copy", "--help"])
    assert ended.value.code == 0
    assert "usage: tool copy" in capsys.readouterr().out
