"""Successive halving on real data: what it saves, what it leaves alone, and what is remembered after a cut."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import mlproj
from mlproj.errors import InvalidInput, MlprojError
from mlproj.searching import Progress, Trial
from mlproj.searching.matrix import load_matrix
from mlproj.searching.round import Round
from mlproj.track import MlflowTracker, store_for
from mlproj.workflow.search import Searched

SPEC = """\
name: digits
data: {{source: "sklearn:digits"}}
metric: {{optimize: error, satisfy: {satisfy}}}
model: {{kind: mlp, hidden: [16]}}
training: {{epochs: 9, early_stopping: null}}
search:
  trials: 18
  halving: {halving}
  sampler: {sampler}
  space:
    training.learning_rate: {{log: [0.0001, 0.3]}}
    training.l2: {{log: [0.000001, 0.1]}}
"""


def write(folder: Path, halving: str, *, sampler: str = "random", satisfy: str = "{}") -> Path:
    folder.mkdir(parents=True)
    text = SPEC.format(halving=halving, sampler=sampler, satisfy=satisfy)
    (folder / "project.yaml").write_text(text, encoding="utf-8")
    return folder


def epochs_of(searched: Searched) -> int:
    return sum(trial.epochs for trial in searched.found.trials)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("halving")


@pytest.fixture(scope="module")
def whole(folder: Path) -> Searched:
    return mlproj.search(write(folder / "whole", "none"), workers=1)


@pytest.fixture(scope="module", params=["auto", "fleet"])
def halved(request: pytest.FixtureRequest, folder: Path) -> Searched:
    """The same search with halving: one training after the other, and side by side."""
    return mlproj.search(write(folder / request.param, "auto"), workers=1, engine=request.param)


def test_halving_saves_most_of_the_epochs(whole: Searched, halved: Searched) -> None:
    assert epochs_of(whole) == 18 * 9
    assert epochs_of(halved) < 0.6 * epochs_of(whole)
    assert {trial.epochs for trial in halved.found.trials} == {1, 3, 9}
    assert {trial.epochs for trial in halved.found.complete} == {9}
    both = [{t.study[-7:] for t in halved.found.trials if t.state == state} for state in ("complete", "pruned")]
    assert both == [{"round-1", "round-2"}] * 2


def test_who_survives_is_trained_as_without_halving(whole: Searched, halved: Searched) -> None:
    """The first round draws the same values; the second lies where other trials finished."""
    survivors = [trial for trial in halved.found.complete if trial.number < 9]
    assert survivors
    for trial in survivors:
        twin = whole.found.trials[trial.number]
        assert trial.params == twin.params
        names = [name for name in twin.metrics if name != "latency_ms"]
        assert [trial.metrics[name] for name in names] == pytest.approx(
            [twin.metrics[name] for name in names], rel=1e-4
        )


def test_the_best_is_one_that_finished_and_the_document_counts_the_others(halved: Searched) -> None:
    document, found = halved.document(), halved.found
    assert found.best in found.complete
    assert (document["complete"], document["pruned"]) == (len(found.complete), len(found.pruned))
    assert document["trials"] == 18
    assert document["epochs"] == epochs_of(halved)
    assert {row["number"] for row in document["finalists"]} <= {trial.number for trial in found.complete}


def test_the_runs_of_pruned_trials_are_finished_and_say_so(halved: Searched) -> None:
    with MlflowTracker(store_for(halved.project), "digits", writes=False) as tracker:
        runs = {run.id: run for run in tracker.runs(kinds=("trial",))}
    for trial in halved.found.trials:
        run = runs[trial.run_id or ""]
        assert run.status == "FINISHED"
        assert (run.outcome == "pruned") == (trial.state == "pruned")
        assert run.metrics["dev/error"] == pytest.approx(trial.metrics["error"])


def test_the_matrix_has_all_trials_and_marks_the_half_trained(halved: Searched) -> None:
    assert halved.run.folder is not None
    matrix = load_matrix(halved.run.folder / "dev_predictions.npz")
    assert matrix.numbers == tuple(range(18))
    assert matrix.pruned == {trial.number for trial in halved.found.pruned}
    for trial in halved.found.trials:
        answers = matrix.answers(trial.number)
        assert np.mean(answers.y_pred != answers.y_true) == pytest.approx(trial.metrics["error"])


def test_overfitting_to_dev_replays_the_choice_among_those_that_finished(halved: Searched) -> None:
    use = mlproj.diagnose_bias_variance(halved).use
    assert use is not None
    assert use.found.configurations == 18  # each was measured on dev
    n = len(halved.found.pruned)
    assert any(note.startswith(f"{n} trials were ended early by their dev values") for note in use.found.notes)


def test_an_ensemble_says_who_finished_and_how_to_come_by_more(halved: Searched) -> None:
    n, early, name = len(halved.found.complete), len(halved.found.pruned), halved.run.name
    with pytest.raises(InvalidInput) as caught:
        mlproj.train(halved.project, ensemble=n + 1, like=name)
    (problem,) = caught.value.problems
    assert (
        problem.message == f"{n + 1} models are more than the {n} finished trials of {name} ({early} were ended early)"
    )
    command = problem.hint.removeprefix(f"Ask for {n} at most, or search so that every trial finishes: ")
    assert command.startswith("mlproj ")
    assert command.endswith(f"search --like {name} --set search.halving=none")
    found = mlproj.train(halved.project, ensemble=2, like=name).ensemble
    assert found["of"] == f"the best 2 of the {n} trials of {name} that finished ({early} were ended early)"


def told(searched: Searched) -> list[tuple[object, ...]]:
    """What became of each trial, without what is measured by the clock."""
    return [(t.number, t.state, t.params, t.epochs, t.rungs, t.metrics["error"]) for t in searched.found.trials]


@pytest.fixture(scope="module")
def undisturbed(folder: Path) -> Searched:
    return mlproj.search(write(folder / "undisturbed", "auto"), workers=1)


@pytest.mark.parametrize("after", [5, 13])
def test_after_ctrl_c_it_goes_on_with_the_same_rivals(undisturbed: Searched, tmp_path: Path, after: int) -> None:
    home = write(tmp_path / "digits", "auto")

    def interrupt(progress: Progress) -> None:
        if progress.done == after:
            raise KeyboardInterrupt

    first = mlproj.search(home, workers=1, on_trial=interrupt)
    assert first.found.stopped == "interrupted"
    assert after <= first.found.made < 18  # what ended together is written down together
    assert len(first.found.trials) == first.found.made
    again = mlproj.search(home, workers=1, resume=True)
    assert again.found.made == 18 - first.found.made
    assert told(again) == told(undisturbed)


def test_a_trial_whose_run_was_finished_but_not_written_down_is_told_from_its_run(
    undisturbed: Searched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, untouched = write(tmp_path / "digits", "auto"), Round.tell
    states = [trial.state for trial in undisturbed.found.trials]
    for number in (states.index("pruned"), states.index("complete", 4)):

        def stop(self: Round, trial: Trial, metrics: Mapping[str, float], seconds: float, at: int = number) -> Trial:
            if trial.number == at:
                raise MlprojError("the disk is full")
            return untouched(self, trial, metrics, seconds)

        monkeypatch.setattr(Round, "tell", stop)
        with pytest.raises(MlprojError, match="the disk is full"):
            mlproj.search(home, workers=1, resume=home.joinpath("mlruns").exists())
        monkeypatch.setattr(Round, "tell", untouched)
    again = mlproj.search(home, workers=1, resume=True)
    rungs = [{level: values["error"] for level, values in t.rungs.items()} for t in again.found.trials]
    assert rungs == [{k: pytest.approx(v["error"]) for k, v in t.rungs.items()} for t in undisturbed.found.trials]
    assert [row[:4] for row in told(again)] == [row[:4] for row in told(undisturbed)]
