"""The list of what the papers print: complete by count, and named by every row as it stands there."""

import pytest

from lit_vision.errors import InputError
from lit_vision.experiment import exhibits, recipes
from lit_vision.experiment.exhibits import Place

# Lines of each paper's tables, and the authors' own among them, counted by hand from the papers' fact sheets.
COUNTED = {
    "1512.03385": (78, 54),
    "1502.01852": (42, 27),
    "1506.01497": (70, 62),
    "1612.03144": (37, 28),
    "1708.02002": (64, 50),
}

LISTED = """\
"1512.03385":
  name: A Paper
  abstract:
    - {claim: It is deep, where: ["Table 1, a, deep"]}
  exhibits:
    Table 1: {shows: errors, size: S, lines: {"a, deep": own, b: theirs}}
    Table 10: {shows: more errors, lines: {c: own}}
    Figure 1: {shows: curves, parts: [left, right], quoted: {right: pictures}}
  whole: [Table 10]
"""


@pytest.fixture
def read(tmp_path):
    def parse(text=LISTED):
        (tmp_path / "list.yaml").write_text(text)
        return exhibits.read(tmp_path / "list.yaml")

    return parse


def test_every_line_of_the_five_papers_is_listed():
    lines = {
        identifier: [whose for exhibit in paper.exhibits.values() for whose in exhibit.lines.values()]
        for identifier, paper in exhibits.papers().items()
    }
    assert {name: (len(found), found.count("own")) for name, found in lines.items()} == COUNTED
    assert (sum(all for all, _ in COUNTED.values()), sum(own for _, own in COUNTED.values())) == (291, 221)


def test_tables_have_the_lines_of_the_fact_sheets():
    resnet, focal = exhibits.papers()["1512.03385"].exhibits, exhibits.papers()["1708.02002"].exhibits
    assert list(resnet["Table 6"].lines)[3:7] == ["FitNet", "Highway, 19 layers", "Highway, 32 layers", "ResNet-20"]
    assert resnet["Table 6"].lines["Highway, 19 layers"] == "theirs"
    assert list(focal["Table 1b"].lines)[-2:] == ["gamma 2.0", "gamma 5.0"]
    assert [paper.abstract != [] for paper in exhibits.papers().values()] == [True] * 5


@pytest.mark.parametrize("recipe", recipes.names())
def test_every_row_and_relation_names_a_line_that_is_listed(recipe):
    exhibits.check_places(recipe)


@pytest.mark.parametrize(
    ("where", "place"),
    [
        ("Table 1", Place("Table 1")),
        ("Table 1, a, deep", Place("Table 1", "a, deep")),
        ("Table 10, c", Place("Table 10", "c")),
        ("Figure 1, left", Place("Figure 1", "left")),
    ],
)
def test_a_place_is_an_exhibit_and_its_line(read, where, place):
    assert read()["1512.03385"].find(where, "here") == place


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("Tabel 1, b", "here: A Paper has no exhibit 'Tabel 1, b'; did you mean 'Table 1'?"),
        ("Table 1, a, dep", "here: Table 1 of A Paper has no line 'a, dep'; did you mean 'a, deep'?"),
        ("Table 11, c", "here: A Paper has no exhibit 'Table 11, c'; did you mean 'Table 1"),
        ("Figure 1, middle", "here: Figure 1 of A Paper has no line 'middle'; choose from: left, right"),
    ],
)
def test_what_is_not_listed_is_told_with_the_nearest_name(read, where, told):
    with pytest.raises(InputError) as caught:
        read()["1512.03385"].find(where, "here")
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{right: pictures}", "{rihgt: x}", "Figure 1.quoted has no line 'rihgt'; did you mean 'right'?"),
        ("lines: {c: own}", "size: S", "Table 10 has neither lines nor parts; name what it shows under parts"),
        (', where: ["Table 1, a, deep"]', "", "abstract: 'It is deep' needs either where or quoted"),
        ('["Table 1, a, deep"]', '["Table 2"]', "list.yaml: 1512.03385.abstract: A Paper has no exhibit 'Table 2'"),
        ("[Table 10]", "[Table 100]", "list.yaml: 1512.03385.whole: A Paper has no exhibit 'Table 100'"),
        ("c: own", "c: ours", "lines.c should be one of own, theirs, got 'ours'"),
        ("shows: curves, ", "", "Figure 1 needs the key 'shows'"),
        ("size: S", "size: XL", "Table 1.size should be one of"),
    ],
)
def test_slips_of_the_list_are_told(read, old, new, told):
    with pytest.raises(InputError) as caught:
        read(LISTED.replace(old, new))
    assert told in str(caught.value)


CARD = """\
card: {{paper: "{paper}", rows: {{a: {{value: 1, default: true, where: {where}{source}}}}}, relations: [{relation}]}}
"""


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            {"where": '"Table 6, ResNet-12"'},
            "card.rows.a.where: Table 6 of Deep Residual Learning",
        ),
        ({"where": '"Table 6, ResNet-12"'}, "has no line 'ResNet-12'; did you mean 'ResNet-1202'?"),
        ({"where": "[Figure 1, Table 60]"}, "has no exhibit 'Table 60'; did you mean 'Table 6'?"),
        ({"where": "Table 6"}, "card.rows.a.where: Table 6 has 12 lines; add one of them: 'Maxout', 'NIN', 'DSN',"),
        (
            {"relation": "{id: r, where: Figure 60, expr: \"row('a') > 0\"}"},
            "card.relations.r.where: Deep Residual Learning for Image Recognition has no exhibit 'Figure 60'",
        ),
    ],
)
def test_a_row_that_names_no_line_is_told(tmp_path, content, told):
    given = {"paper": "1512.03385", "where": "Figure 1", "source": "", "relation": ""} | content
    (tmp_path / "mine.yaml").write_text(CARD.format(**given))
    with pytest.raises(InputError) as caught:
        exhibits.check_places(str(tmp_path / "mine.yaml"))
    assert told in str(caught.value)


OF_README = "{id: r, where: README, expr: \"row('a') > 0\"}"


@pytest.mark.parametrize(
    "content",
    [
        {"source": ", source: a release", "relation": OF_README},
        {"paper": "2001.00001", "relation": OF_README},
        {"where": "Figure 1"},
        {"where": '""'},
    ],
)
def test_tables_of_releases_and_of_other_papers_are_not_looked_up(tmp_path, content):
    given = {"paper": "1512.03385", "where": "README", "source": "", "relation": ""} | content
    (tmp_path / "mine.yaml").write_text(CARD.format(**given))
    exhibits.check_places(str(tmp_path / "mine.yaml"))
