"""How often dev was asked and test was opened, counted from a store, and what the trials' answers say."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flower_project import SPEC

from mlproj.diagnose import GivenRung, ladder_of
from mlproj.metrics.intervals import wilson
from mlproj.records import Answers, Predictions
from mlproj.searching.matrix import write_matrix, write_row
from mlproj.spec.load import load_project
from mlproj.spec.project import Project
from mlproj.track.memory import MemoryTracker
from mlproj.workflow.overfit import DevUse, dev_use
from mlproj.workflow.subject import Subject

N, TRIALS = 400, 12
DEV = {"mlproj.dev_hash": "d1", "mlproj.data_hash": "x1"}


def answers(wrong: np.ndarray[tuple[int], np.dtype[np.bool_]], split: str = "dev") -> Predictions:
    """Predictions of a binary label whose wrong answers are known."""
    n = len(wrong)
    p = np.where(wrong[:, None], [0.3, 0.7], [0.7, 0.3])
    part = Answers(np.zeros(n, np.int64), wrong.astype(np.int64), ("no", "yes"), p)
    return Predictions(np.array([f"{split}{i}" for i in range(n)]), np.full(n, split), {"": part})


@pytest.fixture
def project(make_flowers: Callable[..., Path]) -> Project:
    return load_project(make_flowers(SPEC.replace("metric: {optimize: f1_macro", "metric: {optimize: error")))


@pytest.fixture
def store(tmp_path: Path) -> MemoryTracker:
    """A search of twelve equal trials, two trainings, one of them on another dev set, and a finalist's seed."""
    tracker, rng = MemoryTracker(), np.random.default_rng(5)
    parent = tracker.start(kind="search", name="search-1", tags=DEV)
    run_ids = {}
    for number in range(TRIALS):
        tags = DEV | {"mlflow.parentRunId": parent, "mlproj.number": str(number)}
        run_ids[number] = tracker.start(kind="trial", name=f"search-1-trial-{number}", tags=tags)
        write_row(tmp_path / "rows", number, answers(rng.random(N) < 0.2))
        tracker.finish(run_ids[number])
    (tmp_path / "matrix").mkdir()
    write_matrix(tmp_path / "matrix" / "dev_predictions.npz", tmp_path / "rows", run_ids)
    tracker.artifacts(parent, tmp_path / "matrix")
    tracker.finish(parent)
    for kind, name, tags in (
        ("train", "alone", DEV),
        ("train", "elsewhere", DEV | {"mlproj.dev_hash": "other"}),
        ("trial", "search-1-trial-3-seed-1", DEV | {"mlproj.seed": "1"}),
    ):
        tracker.finish(tracker.start(kind=kind, name=name, tags=tags))
    return tracker


def look(tracker: MemoryTracker, of: str, *, deal: str = "deal-1", split: str = "test") -> None:
    tags = {"mlproj.of": of, "mlproj.split": split, "mlproj.deal": deal, "mlproj.reason": f"why {of[:4]}"}
    tracker.finish(tracker.start(kind="evaluation", name="test", tags=tags))


def ask(tracker: MemoryTracker, project: Project, name: str, opened: dict[str, GivenRung] | None = None) -> DevUse:
    run = tracker.run(name)
    rng = np.random.default_rng(1)
    dev = answers(rng.random(N) < 0.2)
    subject = Subject("", name, name, dev, project, run, {"digest": "deal-1"})
    ladder = ladder_of(dev, opened=opened or {})
    found = dev_use(tracker, subject, ladder, opened or {})
    assert found is not None
    return found


def test_only_models_judged_on_this_dev_set_are_counted(store: MemoryTracker, project: Project) -> None:
    document = ask(store, project, "search-1-trial-3").document()
    assert document["counted"] == {"trials": TRIALS, "trainings": 1, "records": 0}
    assert document["configurations"] == TRIALS + 1
    rate = np.mean(np.random.default_rng(1).random(N) < 0.2)
    assert document["expected_at_most"] == pytest.approx(np.sqrt(2 * np.log(TRIALS + 1) * rate * (1 - rate) / N))


def test_the_trials_answers_say_what_choosing_flattered(store: MemoryTracker, project: Project) -> None:
    found = ask(store, project, "search-1-trial-3").document()["optimism"]
    assert (found["trials"], found["n"], found["search"]) == (TRIALS, N, "search-1")
    assert 0.01 < found["value"] < 0.06  # twelve equal trials: 1.63 standard errors of .02 are expected
    assert found["low"] < found["value"] < found["high"]


def test_a_ladder_of_another_trial_than_the_chosen_one_says_so(store: MemoryTracker, project: Project) -> None:
    notes = [ask(store, project, f"search-1-trial-{number}").found.notes for number in range(TRIALS)]
    assert [bool(note) for note in notes].count(False) == 1


def test_looks_at_this_test_set_are_counted_with_their_reasons(store: MemoryTracker, project: Project) -> None:
    alone = store.run("alone").id
    look(store, alone)
    look(store, alone, deal="deal-0")
    look(store, alone, split="dev")
    look(store, store.run("search-1-trial-3").id)
    document = ask(store, project, "alone").document()
    assert document["looks_at_test"] == 2
    assert [(row["of"], row["reason"][:3]) for row in document["looks"]] == [
        ("search-1-trial-3", "why"), ("alone", "why"),
    ]  # fmt: skip


def test_a_training_has_no_optimism_and_says_nothing_while_there_is_little_to_say(
    store: MemoryTracker, project: Project
) -> None:
    found = ask(store, project, "elsewhere")
    assert found.document()["optimism"] is None
    assert (found.document()["configurations"], found.text(ladder_of(answers(np.arange(50) < 5)))) == (1, "")


def test_an_opened_test_set_is_held_against_dev(store: MemoryTracker, project: Project) -> None:
    test = GivenRung("test", 0.35, 900, limits=wilson(0.35, 900), n_effective=900.0)
    found = ask(store, project, "alone", {"error": test})
    document = found.document()
    assert document["test"]["p"] < 0.001
    assert document["test"]["low"] > 0
    assert document["test"]["n"] == {"test": 900, "dev": N}
    assert document["concern"] == "likely"
    assert document["command"].endswith("split --redraw --set splits.dev=800")


def test_a_search_whose_answers_were_lost_has_the_counts_alone(store: MemoryTracker, project: Project) -> None:
    (store.fetch(store.run("search-1").id) / "dev_predictions.npz").unlink()
    document = ask(store, project, "search-1-trial-3").document()
    assert (document["optimism"], document["configurations"]) == (None, TRIALS + 1)
