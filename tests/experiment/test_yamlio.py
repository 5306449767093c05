import math

import pytest

from lit_vision.errors import InputError
from lit_vision.experiment import yamlio


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("-2.5e-4", -2.5e-4),
        (".5", 0.5),
        ("3", 3),
        ("1.", 1.0),
        ("true", True),
        ("null", None),
        ("", None),
        ("[1e-3, a]", [1e-3, "a"]),
        ("{lr: 1e-2}", {"lr": 1e-2}),
        ("bf16-mixed", "bf16-mixed"),
        ("1x1", "1x1"),
        ("a: [", "a: ["),
        ("1.2.3", "1.2.3"),
    ],
)
def test_values(text, expected):
    got = yamlio.value(text)
    assert got == expected
    assert type(got) is type(expected)


def test_infinity():
    assert math.isinf(yamlio.value(".inf"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", r"f.yaml, line 3: key 'a' is given twice"),
        ("a:\n  b: 1\n  b: 2\n", r"f.yaml, line 3: key 'b' is given twice"),
        ("", r"f.yaml is empty; expected a mapping"),
        ("# only a comment\n", r"f.yaml is empty"),
        ("- 1\n", r"f.yaml holds a list"),
        ("a: [1, 2\n", r"f.yaml, line 2: "),
        ("a: b: c\n", r"f.yaml, line 1: mapping values are not allowed here"),
        ("\tx: 1\n", r"f.yaml, line 1: "),
    ],
)
def test_bad_files(tmp_path, text, message):
    file = tmp_path / "f.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        yamlio.load(file)
    assert len(str(caught.value).splitlines()) <= 3


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        yamlio.load(tmp_path / "no.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="not readable as YAML text"):
        yamlio.load(tmp_path / "b.yaml")


def test_dump_reads_back(tmp_path):
    content = {"a": 1e-05, "b": [1, {"c": None}], "d": "1e-3", "e": "null", "f": True, "g": 0.1}
    file = tmp_path / "f.yaml"
    file.write_text(yamlio.dump(content))
    assert yamlio.load(file) == content


def test_a_key_is_a_word_also_where_yaml_1_1_reads_a_truth(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("on: off\nno: {yes: on}\n")
    assert yamlio.load(file) == {"on": False, "no": {"yes": True}}
    file.write_text("on: 1\n'on': 2\n")
    with pytest.raises(InputError, match="key 'on' is given twice"):
        yamlio.load(file)


def test_what_an_anchor_repeats_is_a_copy_of_its_own(tmp_path):
    (tmp_path / "anchors.yaml").write_text("one: &part {list: [{a: 1}]}\ntwo: *part\n")
    content = yamlio.load(tmp_path / "anchors.yaml")
    content["one"]["list"][0]["a"] = 2
    assert content["two"] == {"list": [{"a": 1}]}
