"""Whole stories of `mlproj search`, through the real store and Optuna's own client."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from flower_project import write_flowers

import mlproj
from mlproj.errors import InputError, InvalidInput, MlprojError
from mlproj.metrics import measure
from mlproj.records import Run
from mlproj.searching import Progress
from mlproj.searching.matrix import load_matrix
from mlproj.track import MlflowTracker, store_for
from mlproj.workflow.desk import Begun
from mlproj.workflow.search import Searched

SPEC = """\
name: flowers
data: {source: app.csv, extra: [web.csv], label: kind, id: uid}
splits: {dev: 150, test: 150, train_dev: 150}
metric: {optimize: f1_macro, satisfy: {accuracy: ">= 0.7"}}
training: {epochs: 2}
search:
  trials: 16
  space:
    training.learning_rate: {log: [0.0001, 1.0]}
    training.beta1: {one_minus_log: [0.9, 0.999]}
    model.hidden: {choice: [[4], [8, 4], []]}
    training.batch_size: {int: [16, 64]}
    training.label_smoothing: {uniform: [0.0, 0.2]}
"""


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """A search that was made once; tests read it and change nothing."""
    return mlproj.search(write_flowers(tmp_path_factory.mktemp("searched") / "flowers", SPEC), workers=1)


@pytest.fixture
def make_search(make_flowers: Callable[..., Path]) -> Callable[..., Path]:
    """Writes the project with a search of its own."""
    return lambda **changes: make_flowers(_changed(**changes))


def _changed(*, trials: int = 4, epochs: int = 1, more: str = "") -> str:
    text = SPEC.replace("trials: 16", f"trials: {trials}{more}")
    return text.replace("epochs: 2", f"epochs: {epochs}")


def _interrupt_after(n: int) -> Callable[[Progress], None]:
    """What a search tells of its progress, and presses Ctrl-C after n trials."""

    def hear(progress: Progress) -> None:
        if progress.done == n:
            raise KeyboardInterrupt

    return hear


def studies_of(home: Path) -> dict[str, optuna.Study]:
    backend = optuna.storages.journal.JournalFileBackend(str(home / "mlruns" / "optuna.journal"))
    storage = optuna.storages.JournalStorage(backend)
    names = optuna.study.get_all_study_names(storage)
    return {name: optuna.load_study(study_name=name, storage=storage) for name in names}


def command(home: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "mlproj", "--project", str(home), *words]


def start(home: Path, *words: str) -> "subprocess.Popen[str]":
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    return subprocess.Popen(command(home, *words), stdout=pipe, stderr=pipe, text=True, env=environment)


def wait_for_trials(home: Path, n: int, process: "subprocess.Popen[str]") -> None:
    """Until so many trials have ended."""
    until = time.monotonic() + 60
    journal = home / "mlruns" / "optuna.journal"
    while time.monotonic() < until and process.poll() is None:
        if journal.exists() and journal.read_text(encoding="utf-8").count('"result"') >= n:
            return
        time.sleep(0.02)
    raise AssertionError(process.communicate())


def test_the_document_says_what_was_found(searched: Searched) -> None:
    document = json.loads(json.dumps(searched.document(), allow_nan=False))
    assert {
        "run_id", "study", "trials", "complete", "failed", "stopped", "engine", "seconds", "best", "finalists",
    } <= set(document)  # fmt: skip
    assert (document["trials"], document["complete"], document["failed"], document["stopped"]) == (16, 16, 0, "trials")
    assert len(document["finalists"]) == 5
    assert document["best"] == document["finalists"][0]
    assert set(document["best"]) >= {"number", "run_id", "params", "value", "feasible"}


def test_optunas_own_client_finds_the_same_best(searched: Searched) -> None:
    document = searched.document()
    studies = studies_of(searched.project.root)
    assert list(studies) == ["flowers/search-1/round-1", "flowers/search-1/round-2"]
    best = studies[document["study"]].best_trial
    assert best.value == document["best"]["value"]
    assert best.user_attrs["run_id"] == document["best"]["run_id"]
    assert best.user_attrs.get("number", best.user_attrs.get("from")) == document["best"]["number"]
    assert best.params["training.learning_rate"] == document["best"]["params"]["training.learning_rate"]
    assert 1 - best.params["1-training.beta1"] == document["best"]["params"]["training.beta1"]
    assert json.loads(best.params["model.hidden"]) == document["best"]["params"]["model.hidden"]


def test_numbers_run_over_all_rounds_and_each_trial_is_a_child_run_with_dotted_parameters(searched: Searched) -> None:
    home = searched.project.root
    with MlflowTracker(store_for(searched.project), "flowers", writes=False) as tracker:
        runs = {run.tags["mlproj.trial"]: run for run in tracker.runs(kinds=("trial",))}
    own = [
        (f"{name}/{trial.number}", trial)
        for name, study in studies_of(home).items()
        for trial in study.get_trials()
        if "number" in trial.user_attrs
    ]
    assert sorted(trial.user_attrs["number"] for _, trial in own) == list(range(16))
    assert {key for key, _ in own} == set(runs)
    for key, trial in own:
        run = runs[key]
        assert run.tags["mlflow.parentRunId"] == searched.run.id
        assert float(run.params["training.learning_rate"]) == trial.params["training.learning_rate"]
        assert float(run.params["training.beta1"]) == 1 - trial.params["1-training.beta1"]
        assert json.loads(run.params["model.hidden"]) == json.loads(trial.params["model.hidden"])
        assert run.metrics["dev/f1_macro"] == trial.value
        assert (run.status, run.outcome) == ("FINISHED", "completed")


def test_only_what_could_have_been_the_best_keeps_its_model(searched: Searched) -> None:
    folder = searched.project.root / "mlruns" / "artifacts" / "flowers"
    kept = {path.parent.parent.name for path in folder.glob("*/artifacts/checkpoint.safetensors")}
    assert searched.document()["best"]["run_id"] in kept
    assert len(kept) < 16


def test_the_matrix_holds_what_every_trial_answered(searched: Searched) -> None:
    assert searched.run.folder is not None
    matrix = load_matrix(searched.run.folder / "dev_predictions.npz")
    assert matrix.numbers == tuple(range(16))
    for trial in searched.found.trials:
        value = measure(["f1_macro"], matrix.answers(trial.number))["f1_macro"]
        assert value == pytest.approx(trial.metrics["f1_macro"], abs=1e-12)


def test_pictures_and_tables_lie_with_the_run(searched: Searched) -> None:
    assert searched.run.folder is not None
    names = {path.relative_to(searched.run.folder).as_posix() for path in searched.run.folder.rglob("*.*")}
    pictures = {f"search/{name}.png" for name in ("parameters", "parallel", "importance", "best_so_far")}
    assert pictures | {"search/trials.csv", "search.json", "project.yaml", "dev_predictions.npz"} <= names
    table = pd.read_csv(searched.run.folder / "search" / "trials.csv")
    assert len(table) == 16
    assert not (
        searched.project.root / "mlruns" / "cache" / "searches" / searched.project.name / searched.run.id
    ).exists()


def test_a_search_stands_for_its_best_trial(searched: Searched) -> None:
    home = searched.project.root
    best = searched.document()["best"]["run_id"]
    selectors: tuple[Searched | Run | str | None, ...] = (None, "search-1", searched.run, searched)
    for selector in selectors:
        diagnosis = mlproj.diagnose_bias_variance(selector, project=home)
        assert diagnosis.subject.run is not None
        assert diagnosis.subject.run.id == best
    again = mlproj.train(home, like="search-1", name="again")
    assert again.run.params["training.learning_rate"] == str(
        searched.document()["best"]["params"]["training.learning_rate"]
    )


def test_a_rounds_space_is_the_box_of_the_best(searched: Searched) -> None:
    first, second = searched.document()["rounds"]
    for path, dimension in first.items():
        (scale,) = dimension
        if scale == "choice":
            assert all(choice in dimension[scale] for choice in second[path][scale])
        else:
            low, high = second[path][scale]
            assert dimension[scale][0] <= low <= high <= dimension[scale][1]
    later = [trial for trial in searched.found.trials if trial.study.endswith("round-2")]
    assert len(later) == 8
    low, high = second["training.learning_rate"]["log"]
    assert all(low <= trial.params["training.learning_rate"] <= high for trial in later)


def test_the_same_seed_finds_the_same_on_worker_processes(
    searched: Searched, make_flowers: Callable[..., Path]
) -> None:
    again = mlproj.search(make_flowers(SPEC), workers=2)
    for ours, theirs in zip(again.found.trials, searched.found.trials, strict=True):
        assert (ours.number, ours.params, ours.metrics["f1_macro"]) == (
            theirs.number,
            theirs.params,
            theirs.metrics["f1_macro"],
        )
    assert again.engine == "fleet"  # what is small trains side by side
    assert again.document()["best"]["params"] == searched.document()["best"]["params"]


def test_a_fleet_finds_what_trials_alone_find(searched: Searched, make_search: Callable[..., Path]) -> None:
    fleet = mlproj.search(make_search(trials=16, epochs=2), workers=2, engine="fleet")
    assert fleet.engine == "fleet"
    alone = {trial.number: trial for trial in searched.found.trials}
    first = [trial for trial in fleet.found.trials if trial.number < 8]  # later rounds follow from near ties
    for trial in first:
        assert trial.params == alone[trial.number].params
        assert trial.metrics["f1_macro"] == pytest.approx(alone[trial.number].metrics["f1_macro"], abs=0.02)


def test_projects_that_share_a_store_leave_each_others_searches_alone(make_search: Callable[..., Path]) -> None:
    home = make_search(trials=6)
    text = (home / "project.yaml").read_text()
    (home / "other.yaml").write_text(text.replace("name: flowers", "name: other flowers"))

    mlproj.search(home, on_trial=_interrupt_after(3), engine="process", workers=1)
    mlproj.search(home / "other.yaml")
    document = mlproj.search(home, resume=True).document()
    assert document["answers_kept"] == document["complete"] == 6


def test_another_search_draws_other_values_and_a_search_can_begin_from_one(make_search: Callable[..., Path]) -> None:
    home, heard = make_search(trials=3), list[Any]()
    first = mlproj.search(home, workers=1, on_start=heard.append)
    assert heard[0].notes == ()
    wider = "search.space.training.learning_rate={log: [0.01, 10]}"
    second = mlproj.search(home, workers=1, like="search-1", set=[wider, "training.epochs=2"], name="wider")
    assert second.run.name == "wider"
    assert second.found.study == "flowers/search-2/round-1"
    assert set(second.project.search.space) == set(first.project.search.space)  # type: ignore[union-attr,arg-type]
    rates = [trial.params["training.learning_rate"] for found in (first, second) for trial in found.found.trials]
    assert len(set(rates)) == 6
    assert min(rates[3:]) >= 0.01
    assert second.run.params["training.epochs"] == "2"


def test_finalists_are_trained_with_fresh_seeds_and_ranked_by_the_mean(make_search: Callable[..., Path]) -> None:
    found = mlproj.search(make_search(trials=6, more="\n  seeds: 3"), workers=1)
    assert len(found.found.finalists) == 5
    means = []
    for row, finalist in zip(found.document()["finalists"], found.found.finalists, strict=True):
        assert len(row["seeds"]) == 3
        assert row["mean"] == pytest.approx(np.mean(row["seeds"]))
        assert row["low"] <= row["mean"] <= row["high"]
        assert row["number"] == finalist.trial.number
        means.append((row["feasible"], row["mean"]))
    assert means == sorted(means, reverse=True)
    seeds = studies_of(found.project.root)["flowers/search-1/seeds"].get_trials()
    assert len(seeds) == 15
    with MlflowTracker(store_for(found.project), "flowers", writes=False) as tracker:
        params = [run.params for run in tracker.runs(kinds=("trial",)) if "/seeds/" in run.tags["mlproj.trial"]]
    assert sorted(each["seed"] for each in params) == sorted(["1", "2", "3"] * 5)
    numbers = {finalist.trial.number for finalist in found.found.finalists}
    with MlflowTracker(store_for(found.project), "flowers", writes=False) as tracker:
        tags = [run.tags for run in tracker.runs(kinds=("trial",)) if "mlproj.seed" in run.tags]
    assert {int(each["mlproj.number"]) for each in tags} == numbers
    assert (found.run.folder or Path()).joinpath("dev_predictions.npz").is_file()
    assert mlproj.diagnose_bias_variance(found).subject.run is not None  # the winner by the mean has its model


def test_an_unfinished_search_wants_to_know_what_to_do(make_search: Callable[..., Path]) -> None:
    home = make_search(trials=1_000, epochs=3)
    process = start(home, "search", "--json", "--workers", "2")
    wait_for_trials(home, 3, process)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    document = json.loads(out)
    assert (process.returncode, document["stopped"]) == (130, "interrupted")
    assert document["best"]["run_id"]
    assert mlproj.diagnose_bias_variance("search-1", project=home).subject.run is not None
    with pytest.raises(InputError, match=r"unfinished(?s:.*)search --resume(?s:.*)search --new"):
        mlproj.search(home, workers=1)
    with pytest.raises(InvalidInput, match="--trials: a resumed search keeps its own spec"):
        mlproj.search(home, resume=True, trials=3)
    (home / "project.yaml").write_text((home / "project.yaml").read_text().replace("epochs: 3", "epochs: 4"))
    heard: list[Any] = []
    gone_on = mlproj.search(home, resume=True, workers=1, time_budget=1.0, on_start=heard.append)
    assert any("project.yaml differs in training.epochs" in note for note in heard[0].notes)
    assert gone_on.run.id == document["run_id"]
    assert gone_on.run.params["training.epochs"] == "3"
    assert len(gone_on.found.complete) > document["complete"]
    frame = pd.read_csv(home / "app.csv")
    frame.iloc[:-1].to_csv(home / "app.csv", index=False)
    with pytest.raises(InputError, match="data or their splits changed"):
        mlproj.search(home, resume=True, workers=1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"trials": 0}, "--trials: 0 is no number of trials\n  Write a whole number from 1 to 1,000,000,000."),
        ({"trials": True}, "--trials: True is no number of trials"),
        ({"sampler": "bayes"}, "--sampler: 'bayes' is not known; random, tpe, grid and qmc are\n  Leave it out"),
        ({"set": ["search.trials=0"]}, "--set: search.trials: 0 is not allowed"),
    ],
)
def test_a_wrong_option_is_called_by_its_name(
    make_search: Callable[..., Path], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput, match=re.escape(said)):
        mlproj.search(make_search(), **options)


def test_a_search_whose_runs_are_gone_is_not_gone_on_with(make_search: Callable[..., Path]) -> None:
    home = make_search(trials=6)
    mlproj.search(home, workers=1, on_trial=_interrupt_after(3))
    for file in (home / "mlruns").glob("mlflow.db*"):
        file.unlink()
    with pytest.raises(InputError, match="finished trials of search-1 have no run in the store any more"):
        mlproj.search(home, resume=True, workers=1)


def test_answers_that_were_cleared_away_are_missed_aloud(make_search: Callable[..., Path]) -> None:
    from mlproj.cli.search_text import search_text

    home = make_search(trials=30, epochs=20)
    first = mlproj.search(home, workers=1, engine="process", on_trial=_interrupt_after(9))
    shutil.rmtree(home / "mlruns" / "cache")
    found = mlproj.search(home, resume=True, workers=1)
    missing = len(first.found.complete) + len(first.found.pruned)
    assert found.document()["answers_kept"] == 30 - missing
    assert f"lacks the answers of {missing} trial" in search_text(found.document())


def test_a_trial_whose_files_were_not_kept_says_so(searched: Searched) -> None:
    home = searched.project.root
    kept = {path.parent.parent.name for path in (home / "mlruns").rglob("checkpoint.safetensors")}
    lost = next(trial for trial in searched.found.trials if trial.run_id not in kept)
    name = f"search-1-trial-{lost.number}"
    with pytest.raises(InputError, match=r"keeps the files of those that could be the best; `search\.keep: all`"):
        mlproj.diagnose_bias_variance(name, project=home)
    with pytest.raises(InputError, match=r"search\.keep: all"):
        mlproj.train(home, like=name)


def test_an_empty_budget_leaves_a_usable_best(make_search: Callable[..., Path]) -> None:
    home = make_search(trials=1_000, epochs=20_000)
    found = mlproj.search(home, time_budget="1s", workers=1)
    assert found.found.stopped == "budget"
    assert found.document()["best"]["run_id"]
    assert mlproj.diagnose_bias_variance(found).subject.run is not None
    with pytest.raises(InputError, match="time budget was used up"):
        mlproj.search(home)


def test_a_failing_trial_says_why_and_the_others_go_on(make_search: Callable[..., Path]) -> None:
    home = make_search(trials=6)
    found = mlproj.search(
        home,
        workers=1,
        set=[  # each goes with the first of the other, and not all with all
            "search.space.model.batch_norm={choice: [false, true]}",
            "search.space.training.batch_size={choice: [32, 1]}",
        ],
    )
    document = found.document()
    assert document["failed"] > 0 < document["complete"]
    assert document["failed"] + document["complete"] == document["trials"] == 6
    assert "batch norm needs at least 2 examples" in document["failures"][0]["reason"]
    with MlflowTracker(store_for(found.project), "flowers", writes=False) as tracker:
        failed = tracker.runs(kinds=("trial",), statuses=("FAILED",))
    assert len(failed) == document["failed"]
    assert all("batch norm" in run.tags["mlproj.message"] for run in failed)
    states = [trial.state.name for trial in studies_of(home)["flowers/search-1/round-1"].get_trials()]
    assert states.count("FAIL") == document["failed"]


FAILS = """
import torch
class Net(torch.nn.Linear):
    def __init__(self, n_inputs, n_outputs):
        super().__init__(n_inputs, n_outputs)
    def forward(self, x):
        if self.training:
            raise ValueError("not today")
        return super().forward(x)
"""


def test_a_search_in_which_everything_fails_gives_up_and_is_over(make_search: Callable[..., Path]) -> None:
    home = make_search(trials=40)
    (home / "nets.py").write_text(FAILS)
    wrong = ["model={kind: python, factory: nets:Net}", "search.space={training.learning_rate: {log: [0.001, 0.1]}}"]
    with pytest.raises(MlprojError, match=r"first 8 trials failed(?s:.*)not today"):
        mlproj.search(home, workers=1, set=wrong)
    assert mlproj.search(home, workers=1, trials=2).found.stopped == "trials"


def test_nothing_feasible_is_explained_with_the_nearest_trial(make_search: Callable[..., Path]) -> None:
    found = mlproj.search(make_search(trials=3), workers=1, set=["metric.satisfy.accuracy=>= 1.0"])
    document = found.document()
    assert not document["best"]["feasible"]
    assert document["best"]["metrics"]["accuracy"] == max(trial.metrics["accuracy"] for trial in found.found.trials)
    assert "No trial meets every limit" in document["verdict"]["text"]
    with pytest.raises(ValueError, match="feasible"):
        _ = studies_of(found.project.root)[document["study"]].best_trial


def test_two_searches_of_one_project_refuse_each_other(make_search: Callable[..., Path]) -> None:
    home = make_search(trials=300, epochs=3)
    process = start(home, "search", "--json", "--workers", "1")
    try:
        wait_for_trials(home, 1, process)
        with pytest.raises(InputError, match=f"Another search is running in this project.*{process.pid}"):
            mlproj.search(home, new=True)
    finally:
        process.kill()
        process.communicate()


def test_a_killed_worker_costs_no_trial(make_search: Callable[..., Path]) -> None:
    home = make_search(trials=12, epochs=40)
    process = start(home, "search", "--json", "--workers", "2")
    wait_for_trials(home, 1, process)
    victims = list(_descendants(process.pid))
    leaves = [pid for pid in victims if not list(_children(pid)) and "mlproj.track" not in _words(pid)]
    assert leaves, victims
    os.kill(leaves[-1], signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    document = json.loads(out)
    assert (document["complete"] + document["pruned"], document["failed"]) == (12, 0)


def test_a_moved_project_goes_on_and_finds_its_files(make_search: Callable[..., Path], tmp_path: Path) -> None:
    home = make_search(trials=40, epochs=40)
    mlproj.search(home, workers=1, engine="process", on_trial=_interrupt_after(5))
    moved = shutil.move(home, tmp_path / "elsewhere")
    found = mlproj.search(Path(moved), resume=True, workers=1)
    assert found.found.stopped == "trials"
    assert {trial.state for trial in found.found.trials} == {"complete", "pruned"}
    assert found.run.folder is not None
    assert found.run.folder.is_relative_to(tmp_path / "elsewhere")
    assert load_matrix(found.run.folder / "dev_predictions.npz").numbers == tuple(range(40))
    assert mlproj.diagnose_bias_variance(found).subject.run is not None


def test_a_full_disk_ends_with_a_message_and_a_store_that_opens(small_disk: Path) -> None:
    home = write_flowers(small_disk / "flowers", _changed(trials=2000))
    process = start(home, "search", "--workers", "1", "--set", "search.keep=all", "--set", "model.hidden=256,256")
    _, err = process.communicate(timeout=200)
    assert process.returncode == 1, err
    assert "disk is full" in err or "No space left" in err
    assert "Traceback" not in err
    (small_disk / "ballast").unlink()
    found = mlproj.search(home, resume=True, workers=1, time_budget="1s")
    assert found.document()["best"]["run_id"]


def test_the_studies_can_live_in_a_database(make_search: Callable[..., Path], tmp_path: Path) -> None:
    home = make_search(trials=3)
    url = f"sqlite:///{tmp_path}/studies.db"
    found = mlproj.search(home, workers=1, set=[f"search.storage={url}"])
    assert not (home / "mlruns" / "optuna.journal").exists()
    study = optuna.load_study(study_name=found.found.study, storage=url)
    assert study.best_trial.value == found.document()["best"]["value"]


def test_without_a_dev_set_there_is_nothing_to_search_for(make_search: Callable[..., Path]) -> None:
    home = make_search()
    with pytest.raises(InvalidInput, match="no dev set"):
        mlproj.search(home, set=["splits.dev=0"])
    assert not (home / "mlruns").exists()


def test_nothing_is_started_when_the_space_is_wrong(make_search: Callable[..., Path]) -> None:
    home = make_search()
    wrong = ["search.space.training.lerning_rate={log: [1, 2]}", "search.space.model.width={uniform: [1, 2]}"]
    with pytest.raises(InvalidInput) as caught:
        mlproj.search(home, set=wrong)
    assert "learning_rate" in str(caught.value)
    assert "model.width" in str(caught.value)
    assert not (home / "mlruns").exists()


def _children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        yield from map(int, task.read_text().split())


def _descendants(pid: int) -> Iterator[int]:
    for child in _children(pid):
        yield child
        yield from _descendants(child)


def _words(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own that is nearly full; a ballast file can be removed to make room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    mounted = subprocess.run(words, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        (folder / "ballast").write_bytes(b"0" * 12_000_000)
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_the_diagnosis_of_a_search_says_what_choosing_flattered(searched: Searched) -> None:
    document = mlproj.diagnose_bias_variance(searched).document()
    found = document["overfitting"]
    assert (found["counted"]["trials"], found["looks_at_test"]) == (16, 0)
    assert (found["optimism"]["trials"], found["optimism"]["n"]) == (16, 150)
    assert document["procedure"]["basis"] == "this run"
    json.dumps(document, allow_nan=False)


HANGS = """
import time, torch
class Net(torch.nn.Linear):
    def forward(self, x):
        time.sleep(1000 if self.training and self.hangs else 0)
        return super().forward(x)
def make(n_inputs, n_outputs, hangs):
    net = Net(n_inputs, n_outputs)
    net.hangs = hangs
    return net
"""


def test_a_training_that_hangs_does_not_outlast_the_time_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlproj.engine.pool._GRACE", 1.0)
    Path("hangs.py").write_text(HANGS)
    Path("project.yaml").write_text(
        'name: x\ndata: {source: "sklearn:iris"}\nmodel: {kind: python, factory: "hangs:make", args: {hangs: false}}\n'
        "training: {epochs: 2}\n"
        "search: {trials: 2, sampler: grid, space: {model.args.hangs: {choice: [true, false]}}}\n"
    )
    began = time.monotonic()
    searched = mlproj.search(time_budget=8, workers=2)
    assert time.monotonic() - began < 60
    assert searched.found.stopped == "budget"
    with MlflowTracker(store_for(searched.project), "x", writes=False) as tracker:
        runs = {run.params["model.args.hangs"]: run for run in tracker.runs(kinds=("trial",))}
    assert runs["true"].status == "KILLED"
    assert "s after its time budget" in runs["true"].tags["mlproj.message"]


def test_a_choice_that_does_not_suit_the_data_is_refused_before_anything_is_stored(
    make_search: Callable[..., Path],
) -> None:
    home = make_search()
    change = ["search.space.training.class_weight={choice: [null, {nobody: 2}]}"]
    said = "search.space.training.class_weight: `training.class_weight.nobody` 'nobody' is no class of the label"
    with pytest.raises(InvalidInput, match=said):
        mlproj.search(home, workers=1, set=change)
    assert not (home / "mlruns" / "splits").exists()
    assert said in str(mlproj.check(home, set=change).problems[0])
    begun: list[Begun] = []
    few = ["search.space={training.beta1: {choice: [0.9, 0.99]}, training.optimizer: {choice: [adam, sgd]}}"]
    mlproj.search(home, workers=1, trials=5, set=few, on_start=begun.append)
    assert begun[0].notes[:2] == (
        "search.space.training.beta1 has no effect in trials with sgd",
        "the space has only 4 combinations: 4 trials instead of 5",
    )
    report = mlproj.check(home, set=few).report
    assert report is not None
    assert begun[0].notes[0] in report.notes
