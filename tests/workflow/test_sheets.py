"""The shelf of manifests: found by token, by ids, and never half-written."""

import dataclasses
from pathlib import Path

from sheets import make_manifest

from mlproj.error_analysis import Manifest
from mlproj.workflow.sheets import Shelf, shelf_of


def kept(**changes: object) -> Manifest:
    """A manifest in ./shelf."""
    made = dataclasses.replace(make_manifest(), **changes)  # type: ignore[arg-type]  # fields by name
    Shelf((Path("shelf"),)).keep(made)
    return made


def test_a_manifest_comes_back_as_it_was_kept() -> None:
    made = kept(error=float("nan"), reviewers=("anna", "Ægir"))
    found = Shelf((Path("shelf"),)).find(made.sheet, [])
    assert found is not None
    assert repr(found) == repr(made)


def test_without_a_token_the_newest_that_knows_most_of_the_ids_is_meant() -> None:
    kept(sheet="sheet-old", created=1.0)
    kept(sheet="sheet-new", created=2.0)
    shelf = Shelf((Path("shelf"),))
    assert [m.sheet for m in [shelf.find("", ["007", "plain"])] if m] == ["sheet-new"]
    assert shelf.find("", ["strange", "ids", "007"]) is None


def test_ids_that_a_spreadsheet_changed_are_known_all_the_same() -> None:
    made = kept()
    found = Shelf((Path("shelf"),)).find("", ["7", "2-Jan", "1.23457E+19", "plain"])
    assert found is not None
    assert found.sheet == made.sheet


def test_an_unknown_token_is_not_guessed_by_ids() -> None:
    kept()
    assert Shelf((Path("shelf"),)).find("sheet-other", ["007"]) is None


def test_damaged_and_strange_files_on_the_shelf_do_no_harm() -> None:
    made = kept()
    for name, text in {"a": "{", "b": "[]", "c": '{"sheet": "x"}', "d": "null"}.items():
        Path(f"shelf/{name}.sheet.json").write_text(text, encoding="utf-8")
    assert [manifest.sheet for manifest in Shelf((Path("shelf"),)).all()] == [made.sheet]


def test_without_a_project_manifests_lie_beside_the_sheet() -> None:
    Path("deep").mkdir()
    path = shelf_of(None, [Path("deep/a.csv")]).keep(make_manifest())
    assert path == Path("deep/sheet-bcdfghjk.sheet.json")
    assert [file.name for file in Path("deep").iterdir()] == [path.name]


def test_among_exports_that_know_all_ids_the_one_with_fewest_others_is_meant() -> None:
    made = make_manifest()
    kept(sheet="sheet-exact", created=1.0)
    more = {name: dataclasses.replace(made.examples["007"], id=name) for name in (*made.examples, "8", "9", "10")}
    kept(sheet="sheet-larger", created=2.0, examples=more)
    found = Shelf((Path("shelf"),)).find("", list(made.examples))
    assert found is not None
    assert found.sheet == "sheet-exact"
