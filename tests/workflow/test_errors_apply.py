"""From sheets to corrections: what agrees is written, once, and nothing else changes."""

import json
import multiprocessing
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import mlproj
from mlproj.cli.app import app
from mlproj.data import load_dataset, open_test
from mlproj.data.corrections_file import read_corrections
from mlproj.errors import InvalidInput
from mlproj.spec.load import load_project
from mlproj.track import store_for
from mlproj.workflow.errors_apply import Applied, errors_apply

KINDS = ("iris", "lily", "rose")
Said = Mapping[int, tuple[str, str]]


@pytest.fixture
def flowers(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the trained project, in which labels may be corrected."""
    shutil.copytree(home, tmp_path / "flowers")
    monkeypatch.chdir(tmp_path / "flowers")
    return tmp_path / "flowers"


def other(kind: str) -> str:
    """Another kind of flower."""
    return KINDS[(KINDS.index(kind) + 1) % 3]


def export(out: str = "sheet.csv", **options: Any) -> pd.DataFrame:
    mlproj.errors_export(out=Path(out), **({"n": 12} | options))
    return read(out)


def read(path: str) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def fill(said: Said, out: str = "sheet.csv", reviewer: str = "anna") -> pd.DataFrame:
    """Writes words and corrected labels into rows of a sheet; "other" is a label that the row does not have."""
    sheet = read(out)
    for row, (word, label) in said.items():
        sheet.loc[row, ["label_ok", "reviewer"]] = word, reviewer
        sheet.loc[row, "corrected_label"] = other(sheet.y_true[row]) if label == "other" else label
    sheet.to_csv(out, index=False)
    return sheet


def truth_of(name: str) -> str:
    """The label of an example that may be seen, as training gets it."""
    project = load_project(".")
    dataset = load_dataset(project, store=store_for(project).splits, save=False)
    codes = {str(n): int(y[0]) for part in dataset.parts.values() for n, y in zip(part.ids, part.y, strict=True)}
    return dataset.target.classes[0][codes[name]]


def test_corrected_labels_are_written_named_in_the_project_and_used(flowers: Path) -> None:
    export()
    sheet = fill({0: ("wrong", "other"), 1: ("ok", ""), 2: ("ambiguous", ""), 3: ("wrong", "")})
    applied = errors_apply("sheet.csv")
    assert [(e.action, e.correction.id, e.correction.by, e.split) for e in applied.edits] == [
        ("added", sheet.id[0], "anna", "dev")
    ]
    assert applied.left == {"disputed": 0, "ambiguous": 1, "wrong_without_correction": 1}
    (row,) = read_corrections(flowers / "corrections.csv")
    assert (row.id, row.label, row.was) == (sheet.id[0], other(sheet.y_true[0]), sheet.y_true[0])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", row.date)
    assert load_project(".").data.corrections == "corrections.csv"
    assert truth_of(sheet.id[0]) == other(sheet.y_true[0])


def test_applying_twice_changes_nothing(flowers: Path) -> None:
    export()
    fill({0: ("wrong", "other"), 1: ("wrong", "other")})
    errors_apply("sheet.csv")
    files = {path: path.read_bytes() for path in flowers.glob("*.*") if path.is_file()}
    applied = errors_apply("sheet.csv")
    assert (applied.edits, applied.total) == ((), 2)
    assert {path: path.read_bytes() for path in flowers.glob("*.*") if path.is_file()} == files


def test_what_was_cut_off_between_the_two_files_is_finished_by_the_next(flowers: Path) -> None:
    export()
    fill({0: ("wrong", "other")})
    text = (flowers / "project.yaml").read_text()
    errors_apply("sheet.csv")
    (flowers / "project.yaml").write_text(text, encoding="utf-8")  # as if killed before it was written
    (flowers / ".corrections.csv.new").write_text("half a li", encoding="utf-8")
    applied = errors_apply("sheet.csv")
    assert applied.edits == ()
    assert load_project(".").data.corrections == "corrections.csv"
    assert not (flowers / ".corrections.csv.new").exists()


def test_another_file_may_be_named_in_the_project(flowers: Path) -> None:
    text = (flowers / "project.yaml").read_text().replace("label: kind", "label: kind, corrections: labels/mine.csv")
    (flowers / "project.yaml").write_text(text, encoding="utf-8")
    (flowers / "labels").mkdir()
    (flowers / "labels" / "mine.csv").write_text("id,label,was,by,date\n", encoding="utf-8")
    export()
    sheet = fill({0: ("wrong", "other")})
    errors_apply("sheet.csv")
    assert [row.id for row in read_corrections(flowers / "labels" / "mine.csv")] == [sheet.id[0]]
    assert (flowers / "project.yaml").read_text() == text


def test_a_dry_run_says_the_same_and_writes_nothing(flowers: Path) -> None:
    export()
    fill({0: ("wrong", "other")})
    before = sorted(path.name for path in flowers.iterdir()), (flowers / "project.yaml").read_bytes()
    dry = errors_apply("sheet.csv", dry_run=True)
    assert (sorted(path.name for path in flowers.iterdir()), (flowers / "project.yaml").read_bytes()) == before
    wet = errors_apply("sheet.csv")
    assert (dry.edits, dry.runs[0].changes) == (wet.edits, wet.runs[0].changes)
    assert dry.next == "mlproj errors apply sheet.csv"


def test_comments_and_layout_of_the_project_stay(flowers: Path) -> None:
    text = "# mine\n" + (flowers / "project.yaml").read_text().replace("label: kind,", "label: kind,  ") + "# end\n"
    (flowers / "project.yaml").write_text(text, encoding="utf-8")
    export()
    fill({0: ("wrong", "other")})
    applied = errors_apply("sheet.csv")
    assert "Added `corrections: corrections.csv` to project.yaml, under `data:`." in applied.notes
    new = (flowers / "project.yaml").read_text()
    assert new.replace(", corrections: corrections.csv", "") == text


def test_a_project_that_cannot_take_a_line_is_left_and_the_line_is_told(flowers: Path) -> None:
    text = (flowers / "project.yaml").read_text()
    text = text.replace("data: {", "data: !!map {")
    (flowers / "project.yaml").write_text(text, encoding="utf-8")
    export()
    fill({0: ("wrong", "other")})
    notes = errors_apply("sheet.csv").notes
    told = "Add `corrections: corrections.csv` under `data:` in project.yaml; until then the labels stay as they are."
    assert told in notes
    assert (flowers / "project.yaml").read_text() == text


def test_a_later_word_replaces_an_earlier_and_taking_it_back_removes_it(flowers: Path) -> None:
    export()
    sheet = fill({0: ("wrong", "other")})
    name, was = sheet.id[0], sheet.y_true[0]
    errors_apply("sheet.csv")
    third = next(kind for kind in KINDS if kind not in (was, other(was)))
    fill({0: ("wrong", third)}, reviewer="ben")
    (edit,) = errors_apply("sheet.csv").edits
    assert (edit.action, edit.before, edit.correction.was) == ("replaced", other(was), was)
    assert [(r.label, r.was, r.by) for r in read_corrections(flowers / "corrections.csv")] == [(third, was, "ben")]
    mlproj.train(name="second")
    again = export("again.csv", n=500, with_correct=500)
    (row,) = again.index[again.id == name]
    assert again.y_true[row] == third
    fill({row: ("wrong", was)}, out="again.csv")
    (edit,) = errors_apply("again.csv").edits
    assert (edit.action, edit.before) == ("removed", third)
    assert read_corrections(flowers / "corrections.csv") == ()
    assert truth_of(name) == was


def test_reviewers_must_agree_and_disputes_are_listed(flowers: Path) -> None:
    mlproj.errors_export(out=Path("s.csv"), n=10, reviewers="anna,ben", overlap=10)
    anna = fill({0: ("wrong", "other"), 1: ("wrong", "other")}, "s-anna.csv", "anna")
    ben = read("s-ben.csv").set_index("id")
    place = {name: row for row, name in enumerate(ben.index)}
    fill({place[anna.id[0]]: ("wrong", "other"), place[anna.id[1]]: ("ok", "")}, "s-ben.csv", "ben")
    applied = errors_apply(["s-anna.csv", "s-ben.csv"])
    assert [(e.correction.id, e.correction.by) for e in applied.edits] == [(anna.id[0], "anna, ben")]
    assert [(c.id, [who for who, _, _ in c.said]) for c in applied.conflicts] == [(anna.id[1], ["anna", "ben"])]
    text = CliRunner().invoke(app, ["errors", "apply", "s-anna.csv", "s-ben.csv"]).stdout
    assert f"1 label on which reviewers disagree: left as it is.\n  {anna.id[1]}: anna says wrong, " in text


def test_a_sheet_whose_labels_the_data_no_longer_say_is_refused_by_line(flowers: Path) -> None:
    export()
    sheet = fill({0: ("wrong", "other"), 1: ("wrong", "other")})
    data = pd.read_csv("app.csv")
    third = next(kind for kind in KINDS if kind not in (sheet.y_true[1], other(sheet.y_true[1])))
    data.loc[data.uid == int(sheet.id[1]), "kind"] = third
    data.to_csv("app.csv", index=False)
    with pytest.raises(InvalidInput) as caught:
        errors_apply("sheet.csv")
    assert f"sheet.csv:3: column y_true: the data say '{third}' for '{sheet.id[1]}'" in str(caught.value)
    assert "export a new sheet" in str(caught.value)
    assert not (flowers / "corrections.csv").exists()
    assert "corrections" not in (flowers / "project.yaml").read_text()


def test_a_sheet_that_is_older_than_two_corrections_is_refused(flowers: Path) -> None:
    export()
    sheet = fill({0: ("wrong", "other")})
    name, shown = sheet.id[0], sheet.y_true[0]
    text = f"id,label,was,by,date\n{name},{other(other(shown))},{other(shown)},,\n"
    (flowers / "corrections.csv").write_text(text, encoding="utf-8")
    with pytest.raises(
        InvalidInput, match=rf"sheet.csv:2: column y_true: shows '{shown}' for '{name}', but its label is"
    ):
        errors_apply("sheet.csv")


def test_an_example_that_is_gone_is_refused_by_line(flowers: Path) -> None:
    export()
    sheet = fill({2: ("wrong", "other")})
    data = pd.read_csv("app.csv")
    data[data.uid != int(sheet.id[2])].to_csv("app.csv", index=False)
    with pytest.raises(InvalidInput, match=rf"sheet.csv:4: column id: '{sheet.id[2]}' is not in the data"):
        errors_apply("sheet.csv")


def test_a_damaged_file_of_corrections_is_told_and_kept(flowers: Path) -> None:
    export()
    fill({0: ("wrong", "other")})
    (flowers / "corrections.csv").write_text("my notes\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"corrections\.csv:1: has no column 'id'"):
        errors_apply("sheet.csv")
    assert (flowers / "corrections.csv").read_text() == "my notes\n"


def test_an_old_correction_that_no_longer_fits_is_told_by_its_own_line(flowers: Path) -> None:
    export()
    fill({0: ("wrong", "other")})
    (flowers / "corrections.csv").write_text("id,label,was,by,date\nzz,rose,lily,,\nyy,rose,lily,,\n", encoding="utf-8")
    with pytest.raises(InvalidInput) as caught:
        errors_apply("sheet.csv")
    assert "corrections.csv:2: id: 'zz' is not in the data" in str(caught.value)
    assert "corrections.csv:3: id: 'yy' is not in the data" in str(caught.value)


def test_corrections_belong_to_a_project(flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InvalidInput, match=r"no project\.yaml here.*\n  Run it in the project's folder.*--project PATH"
    ):
        errors_apply("flowers/sheet.csv")


def test_dev_alone_is_flagged_and_test_is_audited_by_the_same_process(flowers: Path) -> None:
    export()
    fill({0: ("wrong", "other")})
    applied = errors_apply("sheet.csv")
    said = "1 label of dev was corrected, but none of test, train-dev and train: gaps between them hold the noise"
    assert any(note.startswith(said) for note in applied.notes)
    assert applied.next == "mlproj errors export --split test --labels-only --out labels-test.csv"
    audit = export("labels-test.csv", split="test", labels_only=True, n=20)
    assert set(audit.y_pred) == {""}
    fill({0: ("wrong", "other"), 1: ("ok", "")}, "labels-test.csv")
    applied = errors_apply("labels-test.csv")
    assert (applied.splits["test"], applied.splits["dev"]) == (1, 1)
    project = load_project(".")
    sealed = open_test(project, store=store_for(project).splits)
    assert sealed.labels.kind[sealed.ids == audit.id[0]].item() == other(audit.y_true[0])


def test_right_answers_are_to_be_looked_at_too(flowers: Path) -> None:
    export()
    fill({0: ("wrong", "other")})
    assert any(
        "look at right ones too (errors export --with-correct 100)" in n for n in errors_apply("sheet.csv").notes
    )
    sheet = export("both.csv", with_correct=10)
    right = sheet.index[sheet.y_true == sheet.y_pred][0]
    fill({right: ("ok", "")}, "both.csv")
    assert not any("--with-correct" in note for note in errors_apply("both.csv").notes)


def test_a_label_called_ok_that_was_corrected_is_told(flowers: Path) -> None:
    export()
    sheet = fill({0: ("wrong", "other")})
    errors_apply("sheet.csv")
    fill({0: ("ok", "")})
    notes = errors_apply("sheet.csv").notes
    assert any(f"calls labels ok that were corrected: {sheet.id[0]} (" in note for note in notes)


def _apply(folder: Path, file: str) -> None:
    errors_apply(folder / file, project=folder)


def test_two_who_apply_at_once_lose_nothing(flowers: Path) -> None:
    export("a.csv", n=12)
    export("b.csv", n=12, seed=5, draw_from="suspects")
    a, b = read("a.csv"), read("b.csv")
    fill(dict.fromkeys(range(5), ("wrong", "other")), "a.csv")
    fill(dict.fromkeys(range(5), ("wrong", "other")), "b.csv", "ben")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_apply, args=(flowers, file)) for file in ("a.csv", "b.csv")]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert {row.id for row in read_corrections(flowers / "corrections.csv")} == {*a.id[:5], *b.id[:5]}
    assert load_project(".").data.corrections == "corrections.csv"


def test_later_commands_say_that_labels_were_corrected(flowers: Path) -> None:
    export()
    fill({0: ("wrong", "other")})
    errors_apply("sheet.csv")
    old = mlproj.diagnose_bias_variance("first").text()
    assert "Labels were corrected since first was made" in " ".join(old.split())
    assert any("was measured before the labels were corrected" in note for note in mlproj.runs().notes)
    trained = mlproj.train(name="second")
    tag = json.loads(trained.run.tags["mlproj.corrections"])
    assert (tag["dev"], tag["test"], len(tag["digest"])) == (1, 0, 12)
    assert "1 label of dev was corrected" in " ".join(mlproj.diagnose_bias_variance("second").text().split())
    assert "since second" not in mlproj.diagnose_bias_variance("second").text()
    assert mlproj.check(".").report is not None
    assert any("1 label of dev was corrected" in text for text in mlproj.check(".").report.warnings)  # type: ignore[union-attr]  # the line above


def test_corrections_of_test_alone_make_no_run_old(flowers: Path) -> None:
    export("t.csv", split="test", labels_only=True, n=20)
    fill({0: ("wrong", "other")}, "t.csv")
    errors_apply("t.csv")
    assert mlproj.runs().notes == ()
    assert "Labels were corrected since" not in mlproj.diagnose_bias_variance("first").text()


def test_what_people_look_for_is_that_of_project_yaml_now(flowers: Path) -> None:
    with (flowers / "project.yaml").open("a", encoding="utf-8") as file:
        file.write("error_analysis: {tags: [blurry], eyeball: 7}\n")
    exported = mlproj.errors_export("first", out=Path("s.csv"), n=5)
    assert (exported.manifest.tags, exported.manifest.eyeball_seed) == (("blurry",), 7)


def test_a_run_is_trained_anew_by_the_labels_of_now(flowers: Path) -> None:
    export()
    fill({0: ("wrong", "other")})
    errors_apply("sheet.csv")
    assert mlproj.train(like="first", name="anew").project.data.corrections == "corrections.csv"


@pytest.fixture
def applied(flowers: Path) -> Applied:
    export()
    fill({0: ("wrong", "other"), 1: ("ambiguous", "")})
    return errors_apply("sheet.csv", dry_run=True)


def test_the_document_holds_every_figure(applied: Applied) -> None:
    result = CliRunner().invoke(app, ["errors", "apply", "sheet.csv", "--dry-run", "--json"])
    document = json.loads(result.stdout)
    assert document == json.loads(json.dumps(applied.document()))
    assert document["applied"][0].keys() == {
        "id", "label", "was", "by", "date", "of", "before", "split", "action"
    }  # fmt: skip
    changes = {(c["split"], c["metric"]): c for c in document["runs"][0]["changes"]}
    assert set(changes) == {("dev", "error"), ("dev", "f1_macro")}
    before, after = (changes["dev", "error"][side] for side in ("before", "after"))
    assert abs(before - after) <= 1 / 150 + 1e-9


def test_the_text_shows_what_changes_and_what_does_not(applied: Applied, make_text: Callable[[], str]) -> None:
    text = make_text()
    assert text.startswith(f"{applied.head}\nWould write 1 correction to ")
    assert "1 label that are ambiguous: left as it is." not in text
    assert "1 label that is ambiguous: left as it is." in text
    assert "run    split  metric" in text
    assert text.rstrip().endswith("next: mlproj errors apply sheet.csv")


@pytest.fixture
def make_text() -> Callable[[], str]:
    return lambda: CliRunner().invoke(app, ["errors", "apply", "sheet.csv", "--dry-run"]).stdout
