"""The whole comparison on planted shifts: each term takes what is its own, and the action follows."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from shifted import Kind, as_side, plant

from mlproj.diagnose.mismatch import (
    Feature,
    Mismatch,
    Side,
    judge_gap,
    judge_mismatch,
    render_mismatch,
    to_mismatch_document,
)
from mlproj.diagnose.mismatch.judge import MOST_ROWS, compare_answers, compare_inputs
from mlproj.diagnose.samples import measure
from mlproj.records import Answers, Predictions


def judge(kind: Kind, n: int = 900, seed: int = 1, **options: Any) -> Mismatch:
    first, second = (as_side(name, made) for name, made in zip(("train-dev", "dev"), plant(kind, n, seed), strict=True))
    assert first.predictions is not None
    assert second.predictions is not None
    rungs = [
        measure(split, side.predictions, "error")
        for split, side in (("train_dev", first), ("dev", second))
        if side.predictions
    ]
    return judge_mismatch(first, second, gap=judge_gap(rungs[0], rungs[1], "error", "error", **options), seed=seed)


@pytest.fixture(scope="module")
def found() -> dict[Kind, Mismatch]:
    kinds: tuple[Kind, ...] = ("null", "inputs", "answers", "labels", "apart")
    return {kind: judge(kind) for kind in kinds}


def test_without_a_shift_there_is_nothing_to_do(found: dict[Kind, Mismatch]) -> None:
    null = found["null"]
    assert null.gap is not None
    assert null.separation is not None
    assert null.separation.p is not None
    assert null.gap.state != "matters"
    assert null.separation.p > 0.05
    assert not null.is_flagged
    wide = judge("null", min_gap=0.1)
    assert wide.gap is not None
    assert (wide.gap.state, wide.action.name) == ("small", "nothing")


def test_a_label_shift_is_all_mix(found: dict[Kind, Mismatch]) -> None:
    split = found["labels"].parts[0].split
    assert split.mix.low > 0
    assert split.mix.value == pytest.approx(0.12, abs=0.03)
    assert split.within.low < 0 < split.within.high
    assert abs(split.within.value) < 0.03
    assert found["labels"].action.name == "reweight"


def test_a_class_that_only_dev_has_is_collected_not_weighted() -> None:
    first, second = (
        as_side(name, made) for name, made in zip(("train-dev", "dev"), plant("null", 400, 0), strict=True)
    )
    assert first.predictions is not None
    assert second.predictions is not None

    def blind(part: Predictions) -> Predictions:
        """Always no: right wherever there is nothing else."""
        answers = part.answers
        return replace(part, labels={"": Answers(answers.y_true, np.zeros_like(answers.y_true), ("no", "yes"))})

    one = blind(first.predictions.select(first.predictions.answers.y_true == 0))
    two = blind(second.predictions)
    gap = judge_gap(measure("train_dev", one, "error"), measure("dev", two, "error"), "error", "error")
    sides = Side("train-dev", one.ids, predictions=one), Side("dev", two.ids, predictions=two)
    found = judge_mismatch(*sides, gap=gap)
    assert found.action.name == "collect"
    assert "dev holds yes, which train-dev lacks" in found.action.text


def test_other_answers_to_the_same_inputs_leave_the_classifier_quiet_and_fire_within(
    found: dict[Kind, Mismatch],
) -> None:
    answers = found["answers"]
    assert answers.separation is not None
    assert answers.separation.p is not None
    assert answers.separation.variation is not None
    assert answers.separation.p > 0.05
    assert answers.separation.variation < 0.05
    assert not answers.is_flagged
    assert answers.parts[0].split.within.low > 0.1
    assert answers.parts[0].split.mix.low <= 0.005
    assert answers.action.name == "relabel"
    assert "the gap is put down to other answers" in render_mismatch(answers)
    assert "the gap is put down to other answers" not in render_mismatch(found["inputs"])


def test_other_inputs_are_flagged_and_their_feature_comes_first(found: dict[Kind, Mismatch]) -> None:
    inputs = found["inputs"]
    assert inputs.is_flagged
    assert inputs.effects[0].feature == "x0"
    assert inputs.action.name in ("collect", "synthesise")
    assert len(inputs.only_second) == len(inputs.first_like_second) == 8
    assert all(float(shown.cells["x0"]) > 0 for shown in inputs.only_second)
    assert [shown.score for shown in inputs.only_second] == sorted((s.score for s in inputs.only_second), reverse=True)


def test_sets_apart_cannot_be_split(found: dict[Kind, Mismatch]) -> None:
    assert found["apart"].shift is not None
    assert not found["apart"].shift.is_split
    assert "share hardly any inputs" in found["apart"].action.text
    assert "No overlap; cannot split" in render_mismatch(found["apart"])


def test_few_examples_cannot_tell_and_the_sets_should_grow() -> None:
    few = judge("inputs", n=70)
    assert few.gap is not None
    assert (few.gap.state, few.action.name) == ("unclear", "grow")


def test_text_and_document_say_the_same(found: dict[Kind, Mismatch]) -> None:
    for mismatch in found.values():
        text, document = render_mismatch(mismatch, "mlproj check"), to_mismatch_document(mismatch, "mlproj check")
        json.dumps(document, allow_nan=False)
        assert text.startswith("1. The gap")
        assert text.endswith("Next: mlproj check")
        assert " ".join(mismatch.action.text.split()) in " ".join(text.split())
        assert max(map(len, text.splitlines())) <= 120
        for figure in (document["gap"], document["inputs"], document["shift"], *document["parts"]):
            assert figure["method"]
            assert figure["n"]
        assert all(row["method"] and row["n"] for row in document["features"]["found"])
        assert document["features"]["tested"] == len(mismatch.effects)


def test_examples_that_may_not_be_shown_are_not() -> None:
    first, second = (
        as_side(name, made) for name, made in zip(("train-dev", "dev"), plant("inputs", 200, 0), strict=True)
    )
    hidden = np.arange(200) % 2 == 0
    shown = judge_mismatch(first, replace(second, may_show=~hidden)).only_second
    assert shown
    assert all(int(example.id.split("-")[1]) % 2 for example in shown)


def test_large_sets_are_sampled_and_it_says_so() -> None:
    n = MOST_ROWS + 500
    side = Side("dev", np.arange(n).astype(np.str_), [Feature("x", np.random.default_rng(0).normal(size=n))])
    compared = compare_inputs(side, replace(side, name="new"), n_splits=1, explain=False)
    assert compared.separation.n == (MOST_ROWS, MOST_ROWS)
    assert compared.notes[0].startswith(f"Inputs: {MOST_ROWS:,} of the {n:,} examples of dev")


def test_without_labels_there_is_no_gap_but_an_action() -> None:
    first, second = (as_side(name, made) for name, made in zip(("dev", "new"), plant("inputs", 400, 0), strict=True))
    found = judge_mismatch(first, second)
    assert (found.gap, found.parts, found.shift) == (None, (), None)
    assert found.action.name == "collect"
    same = judge_mismatch(*(as_side(n, m) for n, m in zip(("dev", "new"), plant("null", 400, 5), strict=True)))
    assert same.action.name == "nothing"


def test_shares_of_answers_have_the_interval_of_newcombe() -> None:
    def predicted(positives: int) -> Predictions:
        y_pred = (np.arange(100) < positives).astype(np.int64)
        answers = Answers(np.full(100, -1), y_pred, ("no", "yes"))
        return Predictions(np.arange(100).astype(np.str_), np.full(100, "dev"), {"": answers})

    rows = {row.answer: row for row in compare_answers(predicted(20), predicted(35))}
    # Newcombe 1998, method 10, by statsmodels' confint_proportions_2indep(35, 100, 20, 100, method="newcomb")
    assert (rows["yes"].difference, rows["yes"].low, rows["yes"].high) == pytest.approx(
        (0.15, 0.0257, 0.2674), abs=2e-3
    )
    assert rows["no"].difference == pytest.approx(-0.15)
