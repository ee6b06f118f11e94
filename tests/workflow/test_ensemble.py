"""Whole stories of `mlproj train --ensemble`: several models that answer, are judged and are used as one."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from flower_project import SPEC, write_flowers
from numpy.typing import NDArray

import mlproj
from mlproj.cli.text import train_text
from mlproj.data import load_dataset
from mlproj.errors import InvalidInput
from mlproj.metrics import measure
from mlproj.records import Predictions, Run
from mlproj.records.files import read_predictions
from mlproj.searching.rounds import ranked
from mlproj.track import MlflowTracker, store_for
from mlproj.training import fit
from mlproj.workflow.members import choose, ranked_trials
from mlproj.workflow.search import Searched
from mlproj.workflow.seeds import is_same_spec
from mlproj.workflow.starting import Start
from mlproj.workflow.train import Trained

SEARCH = """\
search:
  trials: 8
  rounds: 1
  halving: none
  keep: all
  space:
    training.learning_rate: {log: [0.001, 0.1]}
    model.hidden: {choice: [[8], [12, 6], [16]]}
"""


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """A search that keeps all of its models; tests add runs and change nothing."""
    home = write_flowers(tmp_path_factory.mktemp("ensemble") / "flowers", SPEC + SEARCH)
    return mlproj.search(home, name="wide")


@pytest.fixture(scope="module")
def best3(searched: Searched) -> Trained:
    return mlproj.train(searched.project, ensemble=3, like="wide", name="three")


def chances(predictions: Predictions) -> NDArray[np.float64]:
    """Probabilities (N, K) of a single label."""
    p = predictions.answers.p
    assert p is not None
    return p


def tracker_of(searched: Searched) -> MlflowTracker:
    return MlflowTracker(store_for(searched.project), searched.project.name, writes=False)


def test_the_models_are_the_best_trials_and_come_out_as_in_the_search(searched: Searched, best3: Trained) -> None:
    trials = sorted(searched.found.complete, key=lambda trial: -trial.metrics["f1_macro"])
    rows = best3.ensemble["members"]
    values = [row["value"] for row in rows]
    assert values == pytest.approx([trial.metrics["f1_macro"] for trial in trials[:3]])
    assert values == sorted(values, reverse=True)
    with tracker_of(searched) as tracker:
        for row in rows:
            trial = tracker.run(row["run_id"])
            assert row["value"] == pytest.approx(trial.metrics["dev/f1_macro"], abs=1e-12)


def test_its_answers_are_the_mean_of_theirs(searched: Searched, best3: Trained) -> None:
    with tracker_of(searched) as tracker:
        each = [
            read_predictions(tracker.fetch(row["run_id"], "predictions.parquet")).part("dev")
            for row in best3.ensemble["members"]
        ]
    mean = best3.fit.predictions.part("dev")
    assert all((one.ids == mean.ids).all() for one in each)
    np.testing.assert_allclose(chances(mean), np.mean([chances(one) for one in each], axis=0), rtol=1e-5, atol=1e-7)
    losses = [measure(["log_loss"], one.labels)["log_loss"] for one in each]
    assert measure(["log_loss"], mean.labels)["log_loss"] <= np.mean(losses)
    assert best3.fit.metrics["dev"]["f1_macro"] == pytest.approx(measure(["f1_macro"], mean.labels)["f1_macro"])


@pytest.mark.filterwarnings("ignore")  # of MLflow's own imports
def test_the_stored_model_is_the_whole_ensemble(best3: Trained, tmp_path: Path) -> None:
    import mlflow.pyfunc

    dataset = load_dataset(best3.project, store=store_for(best3.project).splits)
    dev, mean = dataset.parts["dev"], best3.fit.predictions.part("dev")
    assert best3.run.folder is not None
    model = mlflow.pyfunc.load_model(str(best3.run.folder / "model"))
    said = model.predict(dev.frame)
    np.testing.assert_allclose(said[[f"p_{name}" for name in mean.answers.classes]], chances(mean), rtol=1e-5)
    dev.frame.to_csv(tmp_path / "new.csv", index=False)
    mlproj.predict(best3, tmp_path / "new.csv", out=tmp_path / "answers.csv")
    answers = pd.read_csv(tmp_path / "answers.csv")
    assert answers["y_pred"].tolist() == [mean.answers.classes[k] for k in mean.answers.y_pred]


def test_it_is_diagnosed_and_judged_like_any_model(best3: Trained) -> None:
    ladder = mlproj.diagnose_bias_variance("three", project=best3.project).document()
    rungs = {rung["name"]: rung["error"] for rung in ladder["rungs"]}
    assert rungs["dev"] == pytest.approx(best3.fit.metrics["dev"]["error"])
    assert mlproj.check_metric("three", project=best3.project).document()["status"] == "met"
    assert mlproj.diagnose_features("three", project=best3.project, repeats=1)
    looked = mlproj.evaluate("three", project=best3.project, split="test", reason="is it as good?").document()
    assert looked["metrics"]["test"] if "test" in looked["metrics"] else looked["metrics"]


def test_that_its_models_were_chosen_on_dev_is_said(best3: Trained) -> None:
    document = json.loads(json.dumps(best3.document(), allow_nan=False))["ensemble"]
    assert (document["candidates"], document["of"]) == (8, "the best 3 of 8 trials of wide")
    (note,) = document["notes"]
    assert "chosen among 8 by their figures on dev" in note
    assert "evaluate three --split test" in note
    text = train_text(best3)
    assert "wide-trial-" in text
    assert note in text


def test_an_ensemble_of_seeds_was_chosen_by_nobody(make_flowers: Callable[..., Path]) -> None:
    home = make_flowers(SPEC.replace("epochs: 6", "epochs: 2"))
    found = mlproj.train(home, ensemble=3, set=["seed=4"])
    assert [row["seed"] for row in found.ensemble["members"]] == [4, 5, 6]
    assert found.ensemble["candidates"] == 0
    assert not any("chosen among" in note for note in found.ensemble["notes"])
    dataset = load_dataset(found.project, store=store_for(found.project).splits)
    alone = [fit(found.project, dataset, seed=seed).predictions.part("dev") for seed in (4, 5, 6)]
    mean = chances(found.fit.predictions.part("dev"))
    np.testing.assert_allclose(mean, np.mean([chances(one) for one in alone], axis=0), rtol=1e-5, atol=1e-7)
    assert found.fit.resources["size_mb"] > 0


def test_an_ensemble_is_no_further_seed_of_its_first_model(best3: Trained) -> None:
    tags = dict(best3.run.tags)
    single = Run("", "", "train", "FINISHED", 0.0, params=best3.run.params, tags=tags | {"mlproj.ensemble": "3"})
    del tags["mlproj.ensemble"]
    plain = Run("", "", "train", "FINISHED", 0.0, params=best3.run.params, tags=tags)
    assert not is_same_spec(plain, single)
    assert not is_same_spec(best3.run, plain)
    assert is_same_spec(plain, plain)


def test_quantities_are_averaged_in_their_own_unit(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text(
        "name: sugar\ndata: {source: 'sklearn:diabetes', label_scale: log}\ntraining: {epochs: 3}\n"
    )
    found = mlproj.train(tmp_path, ensemble=2)
    dataset = load_dataset(found.project, store=store_for(found.project).splits)
    alone = [fit(found.project, dataset, seed=seed).predictions.part("dev").answers.y_pred for seed in (0, 1)]
    np.testing.assert_allclose(found.fit.predictions.part("dev").answers.y_pred, np.mean(alone, axis=0), rtol=1e-5)


def test_the_threshold_is_that_of_the_mean(tmp_path: Path) -> None:
    from mlproj.metrics import choose_threshold

    (tmp_path / "project.yaml").write_text(
        "name: tumours\ndata: {source: 'sklearn:breast_cancer', positive: malignant}\n"
        "metric: {optimize: f1}\ntraining: {epochs: 3}\n"
    )
    found = mlproj.train(tmp_path, ensemble=2)
    dev = found.fit.predictions.part("dev").answers
    assert dev.p is not None
    assert found.fit.threshold == choose_threshold(dev.p[:, 1], dev.y_true, None, "f1", {})
    assert dev.y_pred.tolist() == (dev.p[:, 1] >= found.fit.threshold).astype(int).tolist()


def test_the_best_of_a_search_are_ranked_by_its_contract(searched: Searched) -> None:
    with tracker_of(searched) as tracker:
        trials = ranked_trials(tracker, searched.run)
        assert len(trials) == 8
        assert trials[0].id == searched.found.best.run_id if searched.found.best else False
        members = choose(tracker, Start(searched.project, like="wide"), searched.project, 8).members
        for member in members:
            assert member.trial is not None
            rate = float(member.trial.params["training.learning_rate"])
            assert member.project.training.learning_rate == rate
            assert json.dumps(list(member.project.model.sizes)) == member.trial.params["model.hidden"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ensemble": 1}, "--ensemble: 1 is no number of models"),
        (
            {"ensemble": 9, "like": "wide"},
            "9 models are more than the 8 finished trials of wide(?s:.*)"
            "Ask for 8 at most, or make more trials: mlproj .*search --like wide --trials 18",
        ),
        ({"ensemble": 2, "seeds": 2}, "--seeds keeps them apart"),
    ],
)
def test_what_cannot_be_meant_starts_nothing(searched: Searched, options: dict[str, int], message: str) -> None:
    before = len(mlproj.runs(searched.project).runs)
    with pytest.raises(InvalidInput, match=message):
        mlproj.train(searched.project, **options)  # type: ignore[call-overload]
    assert len(mlproj.runs(searched.project).runs) == before


MAPPINGS = """\
search:
  trials: 12
  halving: none
  seeds: 2
  space:
    training.class_weight: {choice: [null, balanced, {rose: 5.0, iris: 1.0, lily: 1.0}]}
    training.early_stopping: {choice: [null, {patience: 2}]}
    training.schedule: {choice: [{kind: constant}, {kind: inverse_time, decay: 0.5}]}
    training.clip_norm: {choice: [null, 0.01]}
    training.batch_size: {choice: [auto, full, 16]}
    model.hidden: {choice: [[4], [8, 4]]}
"""


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """A search whose choices are mappings and null where project.yaml has something else, and the other way round."""
    spec = SPEC.replace("{epochs: 6}", "{epochs: 6, clip_norm: 0.01, class_weight: {rose: 5.0, iris: 1.0, lily: 1.0}}")
    spec = spec.replace('accuracy: ">= 0.5"', 'accuracy: ">= 0.999"')
    home = write_flowers(tmp_path_factory.mktemp("mixed") / "flowers", spec + MAPPINGS)
    return mlproj.search(home, name="mixed")


@pytest.fixture(scope="module")
def all12(mixed: Searched) -> Trained:
    return mlproj.train(mixed.project, ensemble=12, like="mixed", name="all")


def test_choices_that_are_mappings_or_null_come_out_as_in_the_search(mixed: Searched, all12: Trained) -> None:
    trials = {trial.run_id: trial for trial in mixed.found.complete}
    values = {row["run_id"]: row["value"] for row in all12.ensemble["members"]}
    assert values == pytest.approx({run_id: trial.metrics["f1_macro"] for run_id, trial in trials.items()}, rel=1e-4)
    assert len({json.dumps(trial.params) for trial in trials.values()}) > 8
    with tracker_of(mixed) as tracker:
        changed = Start(mixed.project, set=["training.l2=0.25", "training.clip_norm=3"], like="mixed")
        for member in choose(tracker, changed, mixed.project, 12).members:
            assert member.trial is not None
            training, tried = member.project.training, trials[member.trial.id].params
            assert (training.l2, training.clip_norm) == (0.25, 3)
            assert training.class_weight == tried["training.class_weight"]
            assert (training.early_stopping is None) == (tried["training.early_stopping"] is None)
            assert training.schedule.kind == tried["training.schedule"]["kind"]
            assert list(member.project.model.sizes) == list(tried["model.hidden"])  # type: ignore[union-attr]


def test_finalists_come_first_in_the_order_of_their_seeds(mixed: Searched, all12: Trained) -> None:
    """By their own seed alone the trials stand in another order, and others would be among the best."""
    ids = [row["run_id"] for row in all12.ensemble["members"]]
    finalists = [finalist.trial.run_id for finalist in mixed.found.finalists]
    assert ids[:5] == finalists
    satisfy = {str(name): limit for name, limit in mixed.project.metric.satisfy.items()}
    own = [trial.run_id for trial in ranked(mixed.found.trials, "f1_macro", satisfy)]
    assert finalists != own[:5]
    assert ids[5:] == own[5:]


def test_a_member_that_misses_a_limit_is_named(all12: Trained) -> None:
    notes = [note for note in all12.ensemble["notes"] if "misses accuracy >= 0.999" in note]
    assert len(notes) == 12
    assert notes[0].startswith(all12.ensemble["members"][0]["name"])
    assert not any("in the search:" in note for note in all12.ensemble["notes"])


def test_why_a_member_came_out_differently_is_said(tmp_path: Path) -> None:
    home = write_flowers(tmp_path, SPEC + SEARCH.replace("trials: 8", "trials: 3"))
    searched = mlproj.search(home, name="small")
    other = mlproj.train(searched.project, ensemble=2, like="small", set=["training.epochs=1"])
    assert any(note.endswith("in the search: --set training.epochs=1") for note in other.ensemble["notes"])
    frame = pd.read_csv(home / "app.csv")
    frame.assign(x0=0.0, x1=frame.x1 + 1).to_csv(home / "app.csv", index=False)
    later = mlproj.train(searched.project, ensemble=2, like="small")
    assert any(note.endswith("in the search: the data changed meanwhile") for note in later.ensemble["notes"])
