"""The report of the benchmarks: what it says follows from the stored rounds, and stored pages are current."""

import json
from pathlib import Path
from typing import Any

import pytest
from bench_page import names, report, share, with_list, write_pages
from contests import ALONE, AUTO, CLI_SEARCH, OPTUNA, PLAIN, SEARCH, TRAIN, contests, run
from rounds import Spread
from targets import targets, worst_case

PAGES = Path(__file__).parents[2] / "docs" / "benchmarks"
Contests = dict[str, list[dict[str, dict[str, float]]]]


def one_inside(ours: float, theirs: float) -> Contests:
    row = {PLAIN: {"cold": 1.3, "warm": theirs, "wall": 4.0}, TRAIN: {"cold": 0.9, "warm": ours, "wall": 3.0}}
    return {"one_inside": [row]}


def results(found: Contests, **changes: Any) -> dict[str, Any]:
    about = {"date": "2026-01-02", "machine": {"processor": "P", "cores": 2, "system": "Linux"}, "revision": "abc"}
    rest = {"versions": {"Python": "3"}, "commands": ["make bench"], "minutes": 9.5, "texts": {}, "notes": {}}
    return {**about, **rest, "is_quick": False, "contests": found, **changes}


@pytest.mark.parametrize(("ours", "verdict"), [(0.6, "met"), (0.61, "missed")])
def test_a_target_is_judged_by_the_median_ratio(ours: float, verdict: str) -> None:
    first, *others = targets(one_inside(ours, 1.0))
    assert first.verdict == verdict
    assert {other.verdict for other in others} == {"not measured"}


def test_a_missed_target_is_shown_as_missed() -> None:
    page = report(results(one_inside(2.0, 1.0)), "x.json")
    assert "| at most 0.6 × | 2.000 × | **missed** |" in page
    assert f"| {TRAIN} | 0.900 | 0.69 | 2.000 | 2.00 |" in page


def test_whole_processes_and_seconds_within_are_judged_apart() -> None:
    row = {OPTUNA: {"within": 20.0, "wall": 25.0}, SEARCH: {"within": 1.8, "wall": 9.0}, CLI_SEARCH: {"wall": 5.0}}
    verdicts = {target.text: target.verdict for target in targets({"many": [row]})}
    assert verdicts["64 trials, to plain PyTorch + Optuna, without imports"] == "met"
    assert verdicts["64 trials, `mlproj search`, to plain PyTorch + Optuna, whole process"] == "missed"


def test_the_worst_width_counts() -> None:
    row = {AUTO: {"32": 1.0, "64": 2.4, "wall": 99.0}, ALONE: {"32": 2.0, "64": 2.0, "wall": 1.0}}
    worst = worst_case([row])
    assert worst is not None
    assert (worst[0], worst[1].middle) == ("64", 1.2)


def test_what_was_left_out_and_what_further_scripts_said_is_on_the_page() -> None:
    found = results(
        {}, notes={"many": ["ray is missing"], "one": ["ray is missing"]}, texts={"a.py": "1 | 2", "b.py": ""}
    )
    page = report(found, "x.json")
    assert page.count("* ray is missing") == 1
    assert "```text\n1 | 2\n```" in page
    assert "b.py" not in page


def test_a_quick_run_says_that_it_means_nothing() -> None:
    assert "no figure here means anything" in report(results({}, is_quick=True), "x.json")
    assert "no figure here means anything" not in report(results({}), "x.json")


def test_contenders_of_later_rounds_have_their_row() -> None:
    assert names([{"a": {"wall": 1.0}}, {"a": {"wall": 1.0}, "b": {"wall": 2.0}, "c": {}}]) == ["a", "b"]


def test_a_share_needs_a_peak() -> None:
    assert share(1e9, Spread.of([0.1]), None) == ""


def test_pages_and_index_are_written_from_the_figures(tmp_path: Path) -> None:
    index = (PAGES / "index.md").read_text(encoding="utf-8")
    (tmp_path / "index.md").write_text(index, encoding="utf-8")
    (tmp_path / "2026-01-02.json").write_text(json.dumps(results(one_inside(0.3, 1.0))), encoding="utf-8")
    write_pages(tmp_path)
    assert "# Benchmarks of 2026-01-02" in (tmp_path / "2026-01-02.md").read_text(encoding="utf-8")
    assert "* [2026-01-02](2026-01-02.md): P, 1 of 12 targets met" in (tmp_path / "index.md").read_text(
        encoding="utf-8"
    )


def test_stored_pages_say_what_their_figures_say() -> None:
    for file in PAGES.glob("20*.json"):
        page = report(json.loads(file.read_text(encoding="utf-8")), file.name)
        assert file.with_suffix(".md").read_text(encoding="utf-8") == page
    index = (PAGES / "index.md").read_text(encoding="utf-8")
    assert with_list(index, PAGES) == index


def test_a_contest_measures_real_processes_and_names_those_that_fail() -> None:
    from contests import Contender, Contest

    there = Contender("there", ("timeit", "-h"))
    contest = Contest(
        "x", (Contender("gone", ("no_such_module",)), Contender("absent", ("x",), needs="no_such")), rounds=1
    )
    rounds, notes = run(contest, lambda _: None)
    assert rounds == [{}]
    assert notes[0] == "absent was left out: no_such is not installed"
    assert "gone failed" in notes[1]
    assert there not in contest.contenders


def test_a_quick_run_has_every_contest_once() -> None:
    whole, quick = contests(halves=True), contests(quick=True, halves=True)
    assert [one.key for one in quick] == [one.key for one in whole]
    assert {one.rounds for one in quick} == {1}


def test_every_search_of_ours_says_whether_it_halves() -> None:
    many = next(contest for contest in contests(halves=True) if contest.key == "many")
    ours = {each.name: " ".join(each.words) for each in many.contenders if each.name.startswith("mlproj search")}
    assert {name: "halving=none" in words for name, words in ours.items()} == {
        CLI_SEARCH: True,
        f"{CLI_SEARCH}, halving": False,
    }
