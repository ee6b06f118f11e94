"""What users see: exit codes, messages, and one JSON document on standard output."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mlproj.cli.app import app
from mlproj.workflow.train import Trained


def mlproj(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def write(text: str) -> None:
    Path("project.yaml").write_text(text, encoding="utf-8")


def test_help_lists_what_is_built_and_nothing_else() -> None:
    text = mlproj("--help").stdout
    listed = [
        line.split()[0]
        for line in text.partition("Commands:\n")[2].splitlines()
        if line.startswith("  ") and line[2] != " "
    ]
    trained = "init check schema model split demo train search runs record ui"
    assert " ".join(listed) == f"{trained} compare check-metric evaluate predict diagnose errors"


@pytest.mark.parametrize("command", ["check", "train", "search", "model", "split", "runs", "ui"])
def test_without_a_project_the_next_step_is_named(command: str) -> None:
    result = mlproj(command)
    assert result.exit_code == 2
    assert "mlproj init" in result.stderr
    assert not list(Path.cwd().iterdir())


def test_a_misspelt_command_and_option_end_with_2() -> None:
    assert mlproj("trian").exit_code == mlproj("train", "--sett", "x=1").exit_code == 2
    assert "Did you mean 'train'" in mlproj("trian").stderr


def test_all_problems_come_at_once_with_file_and_line() -> None:
    write("name: x\ntask: clasification\nmodell: {}\ndata: {source: missing.csv, label: y}\n")
    result = mlproj("check")
    assert result.exit_code == 2
    for part in ("project.yaml:2", "`classification`", "project.yaml:3", "`model`"):
        assert part in result.stderr


def test_json_holds_the_problems_too() -> None:
    write("name: x\ndata: {source: missing.csv, label: y}\n")
    for command in ("check", "train"):
        result = mlproj(command, "--json")
        document = json.loads(result.stdout)
        assert (result.exit_code, document["ok"], document["problems"][0]["where"]) == (2, False, "data.source")
        assert document["problems"][0]["line"] == 2


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (("check",), {"ok", "problems", "columns", "splits", "warnings"}),
        (("model",), {"layers", "parameters"}),
        (("split",), {"splits", "notes", "redraws"}),
        (("runs",), {"runs"}),
        (("runs", "first"), {"run_id", "metrics", "params"}),
        (("runs", "first", "--yaml"), {"run", "yaml"}),
        (
            ("diagnose", "bias-variance", "first"),
            {"run", "metric", "scale", "rungs", "gaps", "verdict", "constant", "remedies", "next"},
        ),
    ],
)
def test_standard_output_is_one_json_document(trained: Trained, arguments: tuple[str, ...], keys: set[str]) -> None:
    result = mlproj(*arguments, "--json", "--project", trained.project.root)
    assert result.exit_code == 0, result.output
    assert keys <= set(json.loads(result.stdout))


def test_shared_options_stand_before_or_after_the_command(home: Path) -> None:
    before = mlproj("--project", home, "--json", "runs", "first")
    after = mlproj("runs", "first", "--json", "--project", home)
    assert before.stdout == after.stdout
    assert json.loads(after.stdout)["name"] == "first"


def test_the_first_line_says_what_a_command_speaks_of(trained: Trained, home: Path) -> None:
    shown = mlproj("diagnose", "bias-variance", "first", "--project", home).stdout.splitlines()[0]
    assert shown.startswith(f"first ({trained.run.id[:8]}, ")
    assert shown.endswith("train 1,350 · train-dev 150 · dev 150 · test 150 (sealed)")


def test_another_store_is_named_in_the_first_line(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.db").write_bytes((home / "mlruns" / "mlflow.db").read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/elsewhere.db")
    assert "MLFLOW_TRACKING_URI" in mlproj("runs", "--project", home).stdout.splitlines()[0]


def test_quiet_leaves_the_result_alone(home: Path) -> None:
    loud, quiet = mlproj("runs", "--project", home).stdout, mlproj("runs", "--quiet", "--project", home).stdout
    assert loud.splitlines()[1:] == quiet.splitlines()


def test_yaml_of_a_run_can_be_trained_again(home: Path, tmp_path: Path) -> None:
    text = mlproj("runs", "first", "--yaml", "--project", home, "--quiet").stdout
    write(text.replace("app.csv", str(home / "app.csv")).replace("web.csv", str(home / "web.csv")))
    assert mlproj("check").exit_code == 0


def test_init_writes_a_project_that_checks_and_never_overwrites(tmp_path: Path) -> None:
    assert mlproj("init", "wine", "--data", "sklearn:wine").exit_code == 0
    first = (tmp_path / "wine" / "project.yaml").read_text()
    assert first.startswith("# yaml-language-server: $schema=./project.schema.json")
    assert mlproj("--project", "wine", "check").exit_code == 0
    again = mlproj("init", "wine", "--data", "sklearn:wine")
    assert (again.exit_code, "is there already" in again.stderr) == (2, True)
    assert (tmp_path / "wine" / "project.yaml").read_text() == first


def test_init_guesses_label_id_and_types_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("person_id,age,zip,target\n1,7,01234,yes\n2,9,00345,no\n3,8,01234,yes\n")
    result = mlproj("init", "p", "--data", "people.csv")
    assert result.exit_code == 0, result.output
    text = (tmp_path / "p" / "project.yaml").read_text()
    assert all(part in text for part in ('source: "../people.csv"', "label: target", "id: person_id", "category: zip"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--data", "nothing.csv"), ("nothing.csv",)),
        (("--data", "some.csv", "--label", "kid"), ("--label", "Did you mean `kind`?")),
        (("--data", "some.csv"), ("--label", "a, kind")),
        (("--data", "sklearn:digts"), ("Did you mean", "digits")),
    ],
)
def test_init_refuses_what_it_cannot_read(tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    (tmp_path / "some.csv").write_text("a,kind\n1,x\n2,y\n")
    result = mlproj("init", "new", *arguments)
    assert result.exit_code == 2
    assert all(word in result.stderr for word in words), result.stderr
    assert not (tmp_path / "new").exists()


def test_the_program_runs_as_a_module() -> None:
    rungs = [word for rung in ("human=0", "train=0.1:20000", "dev=0.11:20000") for word in ("--rung", rung)]
    command = [sys.executable, "-m", "mlproj", "diagnose", "bias-variance", "--json", *rungs]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert json.loads(done.stdout)["verdict"]["named"] == "avoidable_bias"


def test_check_finds_what_training_would_refuse(tmp_path: Path) -> None:
    write("name: wine\ndata: {source: 'sklearn:wine'}\ntraining: {class_weight: {clas_0: 2}}\n")
    result = mlproj("check")
    assert (result.exit_code, "class_weight" in result.stderr, "`class_0`" in result.stderr) == (2, True, True)
    assert [path.name for path in tmp_path.iterdir()] == ["project.yaml"]


def test_a_folder_with_blanks_is_quoted_in_every_command_to_paste(tmp_path: Path) -> None:
    made = mlproj("init", "my wine", "--data", "sklearn:wine").stdout.splitlines()
    assert made[-1] == "next: mlproj --project 'my wine' check"
    assert mlproj("--project", "my wine", "check").stdout.splitlines()[-1] == "next: mlproj --project 'my wine' train"


def test_a_diagnosis_is_shown_but_is_no_spec_to_train_from(home: Path) -> None:
    assert mlproj("diagnose", "bias-variance", "first", "--project", home).exit_code == 0
    shown = mlproj("runs", "bias-variance of first", "--project", home)
    assert (shown.exit_code, "Verdict: " in shown.stdout) == (0, True)
    for arguments in (("runs", "bias-variance of first", "--yaml"), ("train", "--like", "bias-variance of first")):
        refused = mlproj(*arguments, "--project", home)
        assert (refused.exit_code, "holds no project.yaml" in refused.stderr) == (2, True), refused.output


def test_split_never_writes_over_a_file_that_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,y\n" + "".join(f"{k},{'yes' if k % 3 else 'no'}\n" for k in range(30)))
    write("name: d\ndata: {source: d.csv, label: y}\n")
    before = (tmp_path / "d.csv").read_text()
    for out, words in (("d.csv", "is no list of splits"), ("no/s.csv", "the folder no does not exist")):
        refused = mlproj("split", "--out", out)
        assert (refused.exit_code, words in refused.stderr) == (2, True), refused.output
    assert (tmp_path / "d.csv").read_text() == before
    assert not (tmp_path / "mlruns").exists()
    assert mlproj("split", "--out", "s.csv").exit_code == mlproj("split", "--out", "s.csv").exit_code == 0


def test_a_redraw_by_other_sizes_says_to_write_them_down(tmp_path: Path) -> None:
    write("name: wine\ndata: {source: 'sklearn:wine'}\n")
    assert "Write splits.dev=60 into project.yaml" in mlproj("split", "--redraw", "--set", "splits.dev=60").stdout
    assert "into project.yaml" not in mlproj("split", "--set", "splits.dev=60").stdout


def test_a_wrong_command_line_is_a_json_document_too() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "mlproj", "train", "--frob", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, json.loads(done.stdout)["ok"], "--frob" in done.stderr) == (2, False, True)


def test_an_invented_human_level_is_called_an_example() -> None:
    rungs = [word for rung in ("train=0.02:300", "dev=0.04:100") for word in ("--rung", rung)]
    text = mlproj("diagnose", "bias-variance", *rungs).stdout
    assert "is an example: measure" in text.partition("Next: ")[2]


def test_runs_lists_trainings_and_counts_diagnoses(home: Path) -> None:
    mlproj("diagnose", "bias-variance", "first", "--project", home)
    text = mlproj("runs", "--project", home).stdout
    assert "bias-variance of" not in text
    assert "diagnos" in text.splitlines()[-1]
    kinds = {run["kind"] for run in json.loads(mlproj("runs", "--json", "--project", home).stdout)["runs"]}
    assert kinds == {"train", "diagnosis"}
