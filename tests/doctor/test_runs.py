"""What a run left behind: courses made by hand, the stored model, the edges of a search; and how checks are run."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doctor_patients import MakePatient, clouds, wrong

from mlproj.doctor import Course, NotApplicable, Patient, Seen, examine, registry, render_text, select, to_document
from mlproj.doctor.checks.course import still_falls
from mlproj.doctor.registry import Check
from mlproj.errors import InvalidInput, MlprojError
from mlproj.records import History
from mlproj.training import fit

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def patient(make_patient: MakePatient) -> Patient:
    return make_patient(training={"epochs": 12})


def with_course(patient: Patient, outcome: str = "completed", **metrics: Any) -> Patient:
    history = {name.replace("_", "/"): tuple(float(value) for value in values) for name, values in metrics.items()}
    return replace(patient, run="first", course=Course(History(history), outcome, {}))


def noisy(values: Any, noise: float, seed: int = 0) -> Any:
    return np.asarray(values) * (1 + noise * np.random.default_rng(seed).normal(size=len(values)))


# ----------------------------------------------------------------------- courses

FALLING = np.exp(-np.arange(30) / 20)
SETTLED = 0.2 + np.exp(-np.arange(30) / 2)


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_loss_on_dev_that_still_falls_is_a_training_cut_short(patient: Patient, noise: float) -> None:
    ill = with_course(patient, dev_loss=noisy(FALLING, noise), dev_error=[0.1] * 30)
    assert wrong(ill, only=["still-improving", "dev-rising"]) == {"still-improving": "warn"}
    assert "Train longer" in examine(ill, select(only=["still-improving"])).results[0].advice


def test_a_settled_loss_is_silent_for_any_noise() -> None:
    """At most one settled course in a hundred is taken for a falling one."""
    fired = sum(still_falls(noisy(np.full(30, 0.5), 0.05, seed=number)) for number in range(400))
    assert fired <= 4


def test_a_training_that_stopped_by_itself_is_not_blamed(patient: Patient) -> None:
    ended = with_course(patient, "early_stopped", dev_loss=FALLING, dev_error=[0.1] * 30)
    assert wrong(ended, only=["still-improving"]) == {}


def test_an_error_on_dev_that_rises_while_train_learns_is_overfitting(patient: Patient) -> None:
    error = np.concatenate([np.linspace(0.5, 0.1, 10), np.linspace(0.1, 0.25, 20)])
    ill = with_course(patient, dev_loss=SETTLED, dev_error=noisy(error, 0.02), train_loss=FALLING)
    assert wrong(ill, only=["still-improving", "dev-rising"]) == {"dev-rising": "warn"}
    steady = with_course(patient, dev_loss=SETTLED, dev_error=noisy(np.full(30, 0.1), 0.05))
    assert wrong(steady, only=["dev-rising"]) == {}


def test_a_score_rises_downwards(make_patient: MakePatient) -> None:
    score = 1 - np.concatenate([np.linspace(0.5, 0.1, 10), np.linspace(0.1, 0.45, 20)])
    ill = with_course(make_patient(metric={"optimize": "f1_macro"}), dev_loss=SETTLED, dev_f1_macro=score)
    ill = replace(ill, course=Course(History({"dev/loss": tuple(SETTLED), "dev/f1_macro": tuple(score)}), None, {}))
    assert wrong(ill, only=["dev-rising"]) == {"dev-rising": "warn"}


def test_a_training_that_exploded_is_no_healthy_one(patient: Patient) -> None:
    checkup = examine(with_course(patient, "diverged", dev_loss=FALLING), select(only=["still-improving"]))
    assert checkup.results[0].verdict == "fail"
    assert "diverged" in checkup.results[0].text


@pytest.mark.parametrize(
    ("course", "reason"),
    [
        (("completed", {"dev_loss": FALLING[:3]}), "fewer than 4 epochs"),
        (("completed", {}), "no loss for each epoch"),
        (("completed", {"dev_loss": [1.0, float("nan"), 1.0, 1.0, 1.0]}), "not a number"),
    ],
)
def test_courses_that_tell_nothing_are_skipped(patient: Patient, course: Any, reason: str) -> None:
    outcome, metrics = course
    checkup = examine(with_course(patient, outcome, **metrics), select(only=["still-improving"]))
    assert checkup.results[0].verdict == "skipped"
    assert reason in checkup.results[0].text


# ----------------------------------------------------------------------- the stored model


def trained(patient: Patient, **changes: Any) -> Patient:
    """The patient with the model and figures of a real training."""
    found = fit(patient.project, patient.dataset)
    last = {f"{split}/{name}": value for split, values in found.metrics.items() for name, value in values.items()}
    last |= {"train/loss": found.history.metrics["train/loss"][found.best_epoch - 1]} | changes
    course = Course(found.history, found.outcome.kind, last)
    return replace(patient, run="first", course=course, weights=found.weights, threshold=found.threshold)


def test_a_trained_model_keeps_every_check_silent(patient: Patient) -> None:
    assert wrong(trained(patient), ignore=["still-improving", "shuffled-labels", "uses-inputs"]) == {}


def test_a_model_that_no_longer_answers_as_it_did_is_found(patient: Patient) -> None:
    healthy = trained(patient)
    assert wrong(trained(patient, **{"train/error": 0.4}), only=["train-metric"]) == {"train-metric": "fail"}
    moved = replace(healthy, changed="the data changed")
    assert examine(moved, select(only=["train-metric"]))["train-metric"].text == "the data changed"


def test_batch_norm_whose_running_averages_lag_is_found(make_patient: MakePatient) -> None:
    code = """
    class Net(nn.Module):
        def __init__(self, n_inputs, n_outputs):
            super().__init__()
            self.first, self.norm = nn.Linear(n_inputs, 16), nn.BatchNorm1d(16, momentum=1e-4)
            self.last = nn.Linear(16, n_outputs)

        def forward(self, x):
            return self.last(torch.relu(self.norm(3 * self.first(x) + 2)))
    """
    ill = trained(make_patient(code=code, training={"epochs": 12}))
    assert wrong(ill, only=["train-metric", "determinism", "batch-independence"]) == {"train-metric": "warn"}


def test_the_edge_of_a_search_is_named_with_the_command_that_widens_it(patient: Patient) -> None:
    edge = {"path": "training.learning_rate", "value": 0.1, "end": "upper", "widened": {"log": [0.0001, 1.0]}}
    found = {"complete": 20, "edges": [edge], "widen": "mlproj search --like s --set x=1"}
    checkup = examine(replace(with_course(patient), search=found), select(only=["search-edge"]))
    assert checkup["search-edge"].verdict == "warn"
    assert "training.learning_rate 0.1 (upper end)" in checkup["search-edge"].text
    assert checkup["search-edge"].command == found["widen"]
    inside = replace(with_course(patient), search=found | {"edges": []})
    assert wrong(inside, only=["search-edge"]) == {}


# ----------------------------------------------------------------------- running checks


def test_a_check_that_breaks_says_so_and_the_others_go_on(patient: Patient) -> None:
    def broken(_patient: Patient) -> Seen:
        raise ZeroDivisionError("oh")

    def theirs(_patient: Patient) -> Seen:
        raise MlprojError("nets:Net fails on 8 examples")

    def useless(_patient: Patient) -> Seen:
        raise NotApplicable("no images")

    def well(_patient: Patient) -> Seen:
        return Seen("ok", "fine", 1, "by eye")

    looks = {"broken": broken, "theirs": theirs, "useless": useless, "well": well}
    checks = [
        Check(place, code, code, "data", trains=False, look=look) for place, (code, look) in enumerate(looks.items())
    ]
    seen: list[str] = []
    checkup = examine(patient, checks, on_check=lambda _number, _checks, code: seen.append(code))
    assert [each.verdict for each in checkup.results] == ["error", "error", "skipped", "ok"]
    assert "the check itself broke (ZeroDivisionError: oh)" in checkup["broken"].text
    assert checkup["theirs"].text == "nets:Net fails on 8 examples"
    assert (seen, checkup.verdict) == (list(looks), "error")
    text = render_text(checkup, (), "mlproj train")
    assert "broken, theirs could not be carried out" in text


def test_checks_that_train_are_left_out_when_time_is_up(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlproj.doctor.checkup.BUDGET", 0.0)
    skipped = {each.code: each.text for each in examine(patient, select()).of("skipped")}
    assert "--only shuffled-labels" in skipped["shuffled-labels"]
    assert "updates" not in skipped
    alone = examine(patient, select(only=["determinism"]))
    assert alone["determinism"].verdict == "ok"


def test_an_unknown_code_is_answered_with_a_guess() -> None:
    with pytest.raises(InvalidInput, match="Did you mean `signal`"):
        select(ignore=["signl"])
    with pytest.raises(InvalidInput, match="leaves out every check"):
        select(ignore=["signal"], only=["signal"])
    assert "signal" not in [each.code for each in select(ignore=["signal"])]


def test_codes_are_stable_and_every_number_has_its_n_and_method(patient: Patient) -> None:
    checkup = examine(patient, select(ignore=["shuffled-labels", "uses-inputs", "overfit-batch"]))
    assert [each.code for each in select()] == [
        "initial-loss", "uses-inputs", "overfit-batch", "updates", "gradients", "batch-independence", "determinism",
        "shuffled-labels", "split-hygiene", "train-metric", "signal", "still-improving", "dev-rising", "search-edge",
    ]  # fmt: skip
    document = to_document(checkup, (), "mlproj train", run={"id": None})
    for row in document["checks"]:
        assert (row["verdict"] == "skipped") or (row["n"] > 0 and row["method"] and row["numbers"]), row["code"]


def test_every_check_has_a_section_in_the_documentation_and_nothing_else_has() -> None:
    page = (DOCS / "doctor.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)$", page, re.MULTILINE) == [each.code for each in select()]


def test_the_check_that_the_documentation_adds_is_run_like_any_other(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (DOCS / "extend.md").read_text(encoding="utf-8")
    example = re.search(r"<!-- example: check -->\n```python\n(.*?)```", page, re.DOTALL)
    assert example
    select()
    monkeypatch.setattr(registry, "_CHECKS", dict(registry._CHECKS))
    exec(example[1], {})
    found = examine(patient, select(only=["few-rows"]))["few-rows"]
    assert (found.verdict, found.text) == ("ok", "180 examples, 6 inputs")


def test_a_model_that_was_trained_elsewhere_leaves_the_data_to_look_at(patient: Patient) -> None:
    checkup = examine(replace(patient, missing="trained elsewhere"), select())
    assert [each.code for each in checkup.results if each.verdict != "skipped"] == ["split-hygiene"]


def test_three_rows_and_a_single_class_break_nothing(make_patient: MakePatient) -> None:
    few = clouds(12, k=2).assign(y=["a", "b"] * 6)
    assert "error" not in wrong(make_patient(few, splits={"dev": 2, "test": 0})).values()
    assert "error" not in wrong(make_patient(few, splits={"dev": 0, "test": 0})).values()
