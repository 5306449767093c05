"""What stands for each line that the papers print, on a list and recipes made by hand, and on the real ones."""

import pytest

from lit_vision.errors import InputError
from lit_vision.experiment import coverage, exhibits, recipes
from lit_vision.experiment.coverage import Count, Home
from lit_vision.experiment.exhibits import Claim, Place

LISTED = """\
"1512.03385":
  name: A Paper
  abstract:
    - {claim: It is deep, where: [Table 1, Figure 1]}
    - {claim: It won, quoted: a place}
  exhibits:
    Table 1:
      shows: errors
      size: S
      lines: {ours: own, deeper: own, theirs: theirs, wider: own, "others, twice": theirs, slower: own}
      quoted: {wider: no network is given}
    Figure 1: {shows: curves, parts: [left, right]}
    Figure 2: {shows: a block, parts: [block], quoted: {block: structure}}
    Figure 3: {shows: curves, parts: [all]}
  whole: [Figure 1, Figure 2]
"""

RECIPE = """\
card:
  paper: "1512.03385"
  rows:
    a: {where: ["Table 1, ours", "Figure 1, left"], value: 8.0, default: true}
    b: {where: "Table 1, deeper", claim: worse, set: {trainer.max_steps: 1}}
    c: {where: "Table 1, theirs", value: 9.0, quoted: other people's network}
    d: {where: "Table 1, slower", value: 7.0, source: a release, set: {trainer.max_steps: 2}}
    e: {where: Figure 1, claim: curves, weights_of: a, analysis: {class_path: x.Y}}
  relations:
    - {id: a-beats-c, where: Table 1, expr: "row('a') < paper('c')"}
    - {id: left-falls, where: "Figure 1, left", expr: "row('a') < 9"}
"""


@pytest.fixture
def hand_made(tmp_path, monkeypatch):
    """A folder of one recipe and a list of one paper."""
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "nets.yaml").write_text(RECIPE)
    (tmp_path / exhibits.FILE).write_text(LISTED)
    (tmp_path / "evidence.json").write_text("{}")
    monkeypatch.setattr(recipes, "folder", lambda: tmp_path)
    exhibits.papers.cache_clear()
    yield tmp_path
    exhibits.papers.cache_clear()


def entry(*place):
    (found,) = [entry for entry in coverage.of_paper("1512.03385", coverage.homes()) if entry.place == Place(*place)]
    return found


def test_rows_are_the_homes_of_the_lines_that_they_name(hand_made):
    assert entry("Table 1", "ours").homes == (Home("small/nets", "a", "row", judged=True),)
    assert entry("Table 1", "deeper").homes == (Home("small/nets", "b", "row", judged=False),)
    assert entry("Table 1", "theirs").homes == (Home("small/nets", "c", "quoted row"),)
    assert entry("Table 1", "wider").quoted == "no network is given"
    assert entry("Table 1", "others, twice").is_blank


def test_a_release_s_figure_is_no_line_of_the_paper(hand_made):
    assert entry("Table 1", "slower").is_blank


def test_relations_and_what_names_a_whole_figure_stand_for_its_parts(hand_made):
    analysis = Home("small/nets", "e", "analysis")
    assert entry("Figure 1", "left").homes == (
        Home("small/nets", "a", "row", judged=True),
        Home("small/nets", "left-falls", "relation"),
        analysis,
    )
    assert entry("Figure 1", "right").homes == (analysis,)
    assert (entry("Figure 2", "block").quoted, entry("Figure 3", "all").is_blank) == ("structure", True)


def test_lines_are_counted_and_parts_are_not(hand_made):
    assert coverage.of_papers(["1512.03385"]) == Count(lines=6, own=4, rows=2, judged=1, quoted=1, blank=2)
    assert coverage.sentence(["1512.03385"]) == (
        "2 of the 4 lines that these papers' tables print for the authors' own systems have a row; "
        "1 are judged by the printed figure"
    )


def test_an_exhibit_is_whole_when_nothing_of_it_is_blank(hand_made):
    assert coverage.whole("1512.03385") == ["Figure 1", "Figure 2"]
    (hand_made / "small" / "nets.yaml").write_text(RECIPE.replace("where: Figure 1,", "where: Figure 3,"))
    assert coverage.whole("1512.03385") == ["Figure 2", "Figure 3"]


def test_a_claim_of_the_abstract_is_carried_by_relations_first(hand_made):
    homes, meant, blank = coverage.of_claim("1512.03385", Claim("It is deep", ["Table 1"]), coverage.homes())
    assert [(home.kind, home.name) for home in homes] == [("relation", "a-beats-c"), ("row", "a"), ("row", "b")]
    assert (meant, blank) == (4, 1)  # own lines, of which the release's is blank
    homes, meant, blank = coverage.of_claim("1512.03385", Claim("It falls", ["Figure 1, right"]), coverage.homes())
    assert ([home.name for home in homes], meant, blank) == (["e"], 1, 0)


@pytest.mark.parametrize("paper", [None, "1512.03385", "small"])
def test_papers_are_selected_by_identifier_or_folder(hand_made, paper):
    assert coverage.selected(paper) == ["1512.03385"]


def test_a_paper_that_is_not_listed_is_told(hand_made):
    with pytest.raises(InputError, match=r"--paper large: its exhibits are not listed; choose from: 1512\.03385"):
        coverage.selected("large")


@pytest.mark.parametrize("identifier", exhibits.papers())
def test_what_is_whole_stays_whole_and_is_declared(identifier):
    """No line or part of an exhibit under `whole` may lose its home; one that has gained its last is to be declared."""
    declared, found = exhibits.papers()[identifier].whole, coverage.whole(identifier)
    lost = [
        f"{entry.place.exhibit}, {entry.place.line}"
        for entry in coverage.of_paper(identifier, coverage.homes())
        if entry.is_blank and entry.place.exhibit in declared
    ]
    assert lost == [], "neither row nor reason"
    assert declared == found, f"{exhibits.FILE}: write whole: {found}"
