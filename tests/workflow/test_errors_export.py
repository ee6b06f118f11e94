"""`errors export`: from a run or a file to a sheet, and never over somebody's work."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import mlproj
from mlproj.cli.app import app
from mlproj.data import load_dataset, open_test
from mlproj.error_analysis.sample import eyeball
from mlproj.errors import InputError, InvalidInput
from mlproj.spec.load import load_project
from mlproj.track import store_for
from mlproj.workflow.errors_export import Exported, errors_export

FIRST = ["id", "y_true", "y_pred", "p_pred", "loss", "stratum", "weight"]


@pytest.fixture
def flowers(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the trained project."""
    shutil.copytree(home, tmp_path / "flowers")
    monkeypatch.chdir(tmp_path / "flowers")
    return tmp_path / "flowers"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def foreign(n: int = 400, seed: int = 0, **columns: object) -> Path:
    """A predictions file of some other framework, without a project."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    p = np.clip(0.5 + (truth - 0.5) * 0.6 + rng.normal(size=n) * 0.25, 0.01, 0.99)
    frame = pd.DataFrame({"id": [f"{i:04d}" for i in range(n)], "y_true": np.where(truth, "yes", "no"),
                          "y_pred": np.where(p > 0.5, "yes", "no"), "p_no": 1 - p, "p_yes": p, **columns})  # fmt: skip
    frame.to_csv("keras.csv", index=False)
    return Path("keras.csv")


def complaint(**options: object) -> str:
    with pytest.raises(InvalidInput) as caught:
        errors_export(foreign(), out=Path("s.csv"), **{"n": 10, **options})  # type: ignore[arg-type]  # options by name
    assert sorted(path.name for path in Path().iterdir() if path.name != "keras.csv") == []
    return str(caught.value)


def test_a_sheet_of_a_run_holds_its_errors_with_the_datas_own_cells(flowers: Path) -> None:
    exported = errors_export("first", out="s.csv", n=5, tags="dark,blurry")
    rows, data = rows_of(Path("s.csv")), pd.read_csv("app.csv", dtype=str).set_index("uid")
    names = [*FIRST, "x0", "x1", "x2", "x3", "x4", "colour", "note", "label_ok", "corrected_label", "tag:dark",
             "tag:blurry", "reviewer", "sheet"]  # fmt: skip
    assert list(rows[0]) == names
    assert len(rows) == 5
    assert all(row["y_true"] == data.loc[row["id"], "kind"] != row["y_pred"] for row in rows)
    assert all(row["colour"] == data.loc[row["id"], "colour"] for row in rows)
    assert {row["sheet"] for row in rows} == {exported.manifest.sheet}


def test_the_rows_are_of_the_eyeball_half_of_dev(flowers: Path) -> None:
    exported = errors_export("first", out="s.csv", n=3)
    dev = load_dataset(load_project("."), store=store_for(load_project(".")).splits).parts["dev"]
    half = set(dev.ids[eyeball(dev.ids, dev.group)].tolist())
    assert exported.manifest.half == "eyeball"
    assert {row["id"] for row in rows_of(Path("s.csv"))} <= half
    assert "Rows come from the half of dev that may be looked at; the other half stays unseen." in exported.notes


def test_too_few_errors_in_the_half_are_said(flowers: Path) -> None:
    exported = errors_export("first", out="s.csv", n=10_000)
    assert exported.manifest.half == "all"
    assert "Rows come from all of dev: the half that may be looked at holds only" in exported.notes[0]


def test_the_probability_of_the_answer_and_its_cross_entropy_stand_there() -> None:
    errors_export(foreign(), out="s.csv", n=8)
    given = pd.read_csv("keras.csv", dtype={"id": str}).set_index("id")
    for row in rows_of(Path("s.csv")):
        example = given.loc[row["id"]]
        assert float(row["p_pred"]) == pytest.approx(example[f"p_{row['y_pred']}"], abs=1e-4)
        assert float(row["loss"]) == pytest.approx(-np.log(example[f"p_{row['y_true']}"]), rel=1e-3)


def test_without_probabilities_the_loss_is_0_or_1() -> None:
    pd.read_csv(foreign(), dtype=str)[["id", "y_true", "y_pred"]].to_csv("bare.csv", index=False)
    errors_export("bare.csv", out="s.csv", n=8, with_correct=4)
    assert {(row["p_pred"], row["loss"], row["stratum"]) for row in rows_of(Path("s.csv"))} == {
        ("", "1", "error"), ("", "0", "correct"),
    }  # fmt: skip


def test_further_columns_of_a_file_are_carried_and_the_manifest_lies_beside_the_sheet() -> None:
    exported = errors_export(foreign(note=["=1+1"] * 400, brightness=np.arange(400)), out="s.csv", n=8)
    row = rows_of(Path("s.csv"))[0]
    assert (row["data:note"], row["note"], row["brightness"]) == ("'=1+1", "", str(int(row["id"])))
    assert Path(f"{exported.manifest.sheet}.sheet.json").is_file()


def test_numbers_are_drawn_by_their_loss() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(100, 30, 500)
    frame = pd.DataFrame({"id": np.arange(500).astype(str), "y_true": y, "y_pred": y + rng.normal(size=500) * 5})
    frame.to_csv("r.csv", index=False)
    made = errors_export("r.csv", out="s.csv", n=20).manifest
    assert (made.task, made.metric, {n: s.drawn for n, s in made.strata.items()}) == (
        "regression", "mse", {"largest": 10, "other": 10},
    )  # fmt: skip
    loss = {row["stratum"]: float(row["loss"]) for row in rows_of(Path("s.csv"))}
    assert loss["largest"] > loss["other"]


def test_suspicion_stays_out_of_the_sheet() -> None:
    exported = errors_export(foreign(), out="s.csv", n=10, draw_from="suspects")
    assert not any("susp" in name for name in rows_of(Path("s.csv"))[0])
    assert all(example.suspicion is not None for example in exported.manifest.examples.values())
    assert {name: s.drawn for name, s in exported.manifest.strata.items()} == {"suspect": 8, "other": 2}


def test_an_audit_of_test_labels_shows_no_answers(flowers: Path) -> None:
    exported = errors_export(out="s.csv", n=20, split="test", labels_only=True)
    rows = rows_of(Path("s.csv"))
    sealed = open_test(load_project("."), store=store_for(load_project(".")).splits)
    truth = dict(zip(sealed.ids.tolist(), sealed.labels["kind"].tolist(), strict=True))
    assert {row["id"]: row["y_true"] for row in rows}.items() <= truth.items()
    assert {row["y_pred"] + row["p_pred"] + row["loss"] for row in rows} == {""}
    assert "no answers are shown" in exported.head
    assert np.isnan(exported.manifest.error)


def test_each_reviewer_gets_a_sheet_and_some_rows_go_to_all() -> None:
    exported = errors_export(foreign(), out="s.xlsx", n=20, reviewers="anna,ben", overlap=4)
    assert [path.name for path in exported.files] == ["s-anna.xlsx", "s-ben.xlsx"]
    sheets = [pd.read_excel(path, dtype=str) for path in exported.files]
    assert [len(sheet) for sheet in sheets] == [12, 12]
    assert len(set(sheets[0]["id"]) & set(sheets[1]["id"])) == 4
    assert [set(sheet["reviewer"]) for sheet in sheets] == [{"anna"}, {"ben"}]


def test_the_same_seed_draws_the_same_rows() -> None:
    drawn = [
        list(errors_export(foreign(), out=f"{i}.csv", n=8, seed=s).manifest.examples) for i, s in enumerate([1, 1, 2])
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_tags_of_the_project_are_the_default(flowers: Path) -> None:
    with Path("project.yaml").open("a", encoding="utf-8") as file:
        file.write("error_analysis: {tags: [blurry, rare]}\n")
    assert errors_export("first", out="a.csv", n=3).manifest.tags == ("blurry", "rare")
    assert errors_export("first", out="b.csv", n=3, tags="dark").manifest.tags == ("dark",)


def write_into(path: Path, column: str, text: str) -> bytes:
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    frame.loc[2, column] = text
    frame.to_csv(path, index=False, sep=";")
    return path.read_bytes()


@pytest.mark.parametrize("column", ["note", "label_ok", "corrected_label", "tag:dark", "tag:new"])
def test_a_sheet_in_which_somebody_has_written_is_never_overwritten(column: str) -> None:
    errors_export(foreign(), out="s.csv", n=8, tags="dark")
    before = write_into(Path("s.csv"), column, "no")
    with pytest.raises(InvalidInput, match=r"--out: somebody has written into s.csv already\n  Name another file"):
        errors_export("keras.csv", out="s.csv", n=8, tags="dark")
    assert Path("s.csv").read_bytes() == before


def test_a_sheet_in_which_nobody_has_written_may_be_drawn_anew() -> None:
    errors_export(foreign(), out="s.csv", n=8)
    assert errors_export("keras.csv", out="s.csv", n=9).manifest.sheet == rows_of(Path("s.csv"))[0]["sheet"]


@pytest.mark.parametrize("text", ["", "id,y_true\n1,a\n", '"open', "any text\nat all\n"])
def test_a_file_that_is_no_sheet_is_never_overwritten(text: str) -> None:
    Path("s.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"--out: s.csv is there already and is no sheet\n  Name another file."):
        errors_export(foreign(), out="s.csv", n=8)
    assert Path("s.csv").read_text(encoding="utf-8") == text


def test_with_one_sheet_in_the_way_no_reviewer_gets_one() -> None:
    Path("s-ben.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"s-ben.csv is there already"):
        errors_export(foreign(), out="s.csv", n=8, reviewers=["anna", "ben"])
    assert sorted(path.name for path in Path().iterdir()) == ["keras.csv", "s-ben.csv"]


WRONG: dict[str, tuple[dict[str, object], str, str]] = {
    "no rows": ({"n": 0}, "--n: 0 rows are no sheet", "Write a number from 1, such as 100."),
    "fewer than no right ones": ({"with_correct": -1}, "--with-correct: -1 is below 0", "from 0, such as 100."),
    "an unknown pool": ({"draw_from": "eyeball"}, "--from: 'eyeball' is not known", "It is dev or suspects."),
    "an unknown split": ({"split": "train"}, "--split: 'train' is not known", "It is dev, or test with --labels-only."),
    "the test set": ({"split": "test"}, "--split: the test set is sealed", "add --labels-only."),
    "an audit with answers": ({"labels_only": True, "with_correct": 5}, "--labels-only: an audit", "--from out."),
    "an audit without a project": ({"labels_only": True}, "--labels-only: an audit of labels needs", "--project PATH"),
    "overlap of nobody": ({"overlap": 5}, "--overlap: is for several reviewers", "--reviewers anna,ben"),
    "a negative overlap": ({"overlap": -5, "reviewers": "a,b"}, "--overlap: -5 is below 0", "Write a number from 0"),
    "one reviewer": ({"reviewers": "anna"}, "--reviewers: there is one name only", "Leave it out"),
    "a name that is a path": ({"reviewers": "a/b,c"}, "--reviewers: 'a/b' cannot be part of a file's name", "letters"),
    "another format": ({"out": Path("s.pdf")}, "--out: s.pdf is neither .csv nor .xlsx", "Name a .csv or .xlsx file."),
    "no such folder": ({"out": Path("no/s.csv")}, "--out: the folder no does not exist", "Make it first"),
    "an unknown label": ({"label": "x"}, "--label: 'x' is no label here", "Leave it out: there is one"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_an_option_that_cannot_be_meant_is_refused_before_anything_is_written(what: str) -> None:
    options, message, remedy = WRONG[what]
    with pytest.raises(InvalidInput) as caught:
        errors_export(foreign(), **{"n": 10, "out": Path("s.csv"), **options})  # type: ignore[arg-type]  # by name
    assert message in str(caught.value)
    assert remedy in str(caught.value)
    assert [path.name for path in Path().iterdir()] == ["keras.csv"]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="even root cannot write there, but only Linux has it")
def test_a_folder_that_cannot_be_written_to_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"--out: /proc/.* cannot be written .*\n  Name a file in a folder"):
        errors_export(foreign(), out="/proc/s.csv", n=8)


def test_all_wrong_options_are_said_at_once() -> None:
    text = complaint(n=0, with_correct=-1, draw_from="x", split="y")
    assert all(option in text for option in ("--n: 0", "--with-correct: -1", "--from: 'x'", "--split: 'y'"))


def test_right_answers_only_leave_nothing_to_look_at() -> None:
    frame = pd.read_csv(foreign(), dtype=str)
    frame.assign(y_pred=frame["y_true"])[["id", "y_true", "y_pred"]].to_csv("right.csv", index=False)
    with pytest.raises(InputError, match=r"right.csv answers all 400 examples of dev right: there is nothing to look"):
        errors_export("right.csv", out="s.csv")


def test_one_of_several_labels_has_to_be_named() -> None:
    rng = np.random.default_rng(0)
    given = {f"{what}:{name}": rng.integers(0, 2, 60) for name in ("cat", "dog") for what in ("y_true", "y_pred")}
    pd.DataFrame({"id": np.arange(60).astype(str), **given}).to_csv("m.csv", index=False)
    with pytest.raises(InvalidInput, match=r"--label: there are several labels\n  Name one of cat, dog."):
        errors_export("m.csv", out="s.csv", n=5)
    assert errors_export("m.csv", out="s.csv", n=5, label="dog").manifest.label == "dog"


def test_what_goes_out_comes_back_renamed_and_without_its_token() -> None:
    errors_export(foreign(), out="s.csv", n=8, tags="dark")
    frame = pd.read_csv("s.csv", dtype=str, keep_default_na=False, encoding="utf-8-sig").drop(columns="sheet")
    frame.assign(**{"tag:dark": "x"}).to_csv("back.csv", sep=";", index=False)
    tags = mlproj.errors_summarize("back.csv").document()["tags"]
    assert [(tag["tag"], tag["count"]) for tag in tags] == [("dark", 8)]


def test_the_command_prints_what_it_drew_and_what_comes_next(flowers: Path) -> None:
    result = CliRunner().invoke(app, ["errors", "export", "first", "--n", "4", "--out", "s.xlsx", "--tags", "dark"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith("first (")
    assert lines[1] == "Wrote 4 rows to s.xlsx."
    assert lines[-1] == "next: mlproj errors summarize s.xlsx"


def test_the_document_says_how_rows_were_drawn() -> None:
    result = CliRunner().invoke(app, ["errors", "export", str(foreign()), "--n", "4", "--out", "s.csv", "--json"])
    document = json.loads(result.stdout)
    assert (document["rows"], document["files"], document["strata"]["error"]["drawn"]) == (4, ["s.csv"], 4)


def test_bad_options_exit_with_2_and_no_traceback() -> None:
    result = CliRunner().invoke(app, ["errors", "export", str(foreign()), "--out", "s.pdf"])
    assert result.exit_code == 2
    assert "s.pdf is neither .csv nor .xlsx" in result.output


def test_the_twin_is_in_the_package() -> None:
    assert isinstance(mlproj.errors_export(foreign(), out="s.csv", n=3), Exported)
