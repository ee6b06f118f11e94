"""The judge of learning curves: one conclusion, in the user's units, with what to do about it."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlproj.advise.curve import next_for_curve
from mlproj.diagnose.curve import Asked, curve_document, judge_curve, render_curve
from mlproj.diagnose.curve.picture import draw_curve
from mlproj.errors import MlprojError
from mlproj.records import CurveFit, LearningCurve

SIZES = [round(1000 / 2 ** (k / 2)) for k in range(6, -1, -1)]
Errors = Callable[[float], float]


def nothing(_: float) -> float:
    return 0.0


def falling(n: float) -> float:
    return 0.02 + 0.1 * (n / 1000) ** -0.5


def fits_of(dev: Errors, train: Errors = nothing, *, noise: float = 0.002, sizes: list[int] = SIZES) -> list[CurveFit]:
    rng = np.random.default_rng(3)
    return [
        CurveFit(n, n, r, r, f"{n}-{r}", {"error": {"train": train(n), "dev": dev(n) + noise * rng.normal()}})
        for n in sizes
        for r in range(3)
    ]


def judged(dev: Errors, train: Errors = nothing, *, target: float | None = None, **more: float) -> LearningCurve:
    asked = Asked("error", target=target, target_from="--target" if target else "", floor=more.pop("floor", None))
    return judge_curve(fits_of(dev, train, noise=more.pop("noise", 0.002)), asked, {"dev": 2000}, n_draws=300)


@pytest.mark.parametrize(
    ("target", "state", "words"),
    [
        (0.15, "reached", "The target is met"),
        (0.085, "more_data", r"P\(dev ≤ 8.5 % at 2× the data\) = "),
        (0.03, "not_by_data", r"at 4× <?0.0"),
    ],
)
def test_a_target_is_answered_with_its_chance(target: float, state: str, words: str) -> None:
    curve = judged(falling, target=target)
    assert curve.state == state, curve.text
    assert re.search(words, curve.text), curve.text


def test_without_a_target_the_question_is_whether_a_doubling_is_worth_it() -> None:
    assert judged(falling).state == "more_data"
    slow = judged(lambda n: 0.1 + 0.004 * (n / 1000) ** -0.5, noise=0.0003)
    assert (slow.state, slow.target) == ("not_by_data", None)


def test_a_training_error_above_the_target_forbids_it_whatever_the_curve_does() -> None:
    curve = judged(falling, lambda n: 0.09 - 0.02 * (n / 1000) ** -0.5, target=0.05)
    assert curve.state == "not_by_data"
    assert "the training error is 7.0 % and does not fall with more data" in curve.text
    assert "training error first" in curve.advice


def test_a_training_error_that_falls_with_more_data_forbids_and_bounds_nothing() -> None:
    curve = judged(falling, lambda n: 0.07 * (n / 1000) ** -0.3, target=0.05)
    assert curve.most_gain is None
    assert "does not fall with more data" not in curve.text


def test_more_data_gains_at_most_the_gap_to_a_training_error_that_does_not_fall() -> None:
    curve = judged(falling, lambda _: 0.04)
    assert curve.most_gain is not None
    gain, low, high = curve.most_gain
    assert gain == pytest.approx(0.08, abs=0.005)
    assert low < gain < high


def test_the_floor_of_disagreeing_annotators_forbids_a_target_below_it() -> None:
    curve = judged(falling, target=0.05, floor=0.06)
    assert curve.state == "not_by_data"
    assert "6.0 % is the floor" in curve.text


@pytest.mark.parametrize(
    ("dev", "reason"),
    [
        (lambda n: 0.1 + 0.1 * (n / 1000), "rises from"),
        (lambda n: falling(n) + 0.3 * np.exp(-8 * np.log2(n / 420) ** 2), "rises from"),
        (lambda n: 0.5 - 0.4 * (n / 1000) ** 2, "speeds up"),
        (lambda _: 0.1, "does not fall by more than chance"),
    ],
)
def test_what_must_not_be_extrapolated_is_refused_with_the_reason(dev: Errors, reason: str) -> None:
    curve = judged(dev, lambda _: 0.02, target=0.04)
    assert curve.extrapolation is None
    assert reason in curve.why_not
    assert reason in render_curve(curve)
    assert curve.state in ("refused", "not_by_data")


def test_a_flat_curve_whose_last_doubling_surely_gained_little_is_not_helped_by_data() -> None:
    curve = judged(lambda _: 0.1, lambda _: 0.0, noise=0.0005)
    assert (curve.shape, curve.state) == ("flat", "not_by_data")


def test_few_sizes_are_shown_but_not_extrapolated() -> None:
    fits = fits_of(falling, sizes=[250, 500, 1000])
    curve = judge_curve(fits, Asked("error", target=0.05), {"dev": 500})
    assert (curve.shape, curve.state) == ("too_few", "refused")
    assert "3 of the 5 sizes that it takes are there" in curve.why_not
    assert curve.probe is not None


def test_a_single_size_is_shown_and_nothing_is_claimed() -> None:
    curve = judge_curve(fits_of(falling, sizes=[8]), Asked("error"), {"dev": 3})
    assert (curve.state, curve.probe, len(curve.anchors)) == ("refused", None, 1)
    assert next_for_curve(curve, None, "base", repeats=3) == "mlproj diagnose bias-variance base"
    render_curve(curve)


def test_the_halving_probe_says_what_the_next_doubling_gains() -> None:
    curve = judged(falling, noise=0.0002)
    assert curve.probe is not None
    assert curve.probe.n_half == 500
    assert curve.probe.gain[0] == pytest.approx(falling(500) - falling(1000), abs=0.001)
    assert curve.probe.next_gain[0] <= falling(1000) - falling(2000) <= curve.probe.next_gain[1]


def test_a_single_repeat_says_nothing_of_chance_and_is_not_extrapolated() -> None:
    fits = [fit for fit in fits_of(falling) if fit.repeat == 0]
    curve = judge_curve(fits, Asked("error"), {"dev": 500})
    assert (curve.shape, curve.probe, curve.most_gain) == ("too_few", None, None)
    render_curve(curve)


def test_trainings_without_a_value_are_left_out() -> None:
    broken = [CurveFit(n, n, 9, 9, "", {"error": {"train": 0.0, "dev": float("nan")}}) for n in SIZES]
    assert judge_curve([*fits_of(falling), *broken], Asked("error"), {"dev": 500}).anchors[0].repeats == 3
    with pytest.raises(MlprojError, match="no curve to judge"):
        judge_curve(broken, Asked("error"), {"dev": 500})


def test_perfect_answers_at_every_size_are_no_trouble() -> None:
    curve = judged(nothing, noise=0.0, target=0.01)
    assert curve.state == "reached"
    assert curve.anchors[-1].bands["dev"].high > 0
    json.dumps(curve_document(curve, fits_of(nothing), "", run={"id": None, "name": None}), allow_nan=False)
    render_curve(curve)


def test_losses_without_a_unit_are_written_as_they_are() -> None:
    rng = np.random.default_rng(0)
    fits = [
        CurveFit(n, n, r, r, "", {"rmse": {"train": 2000.0, "dev": 30_000 * falling(n) + 20 * rng.normal()}})
        for n in SIZES
        for r in range(3)
    ]
    curve = judge_curve(fits, Asked("rmse", target=2500, target_from="--target"), {"dev": 500}, n_draws=300)
    assert "P(dev ≤ 2,500 at 2× the data)" in curve.text
    assert "%" not in curve.text


def test_the_document_has_every_number_with_n_and_method(tmp_path: Path) -> None:
    fits, curve = fits_of(falling), judged(falling, target=0.085)
    document = json.loads(
        json.dumps(curve_document(curve, fits, "next", run={"id": "1", "name": "a"}), allow_nan=False)
    )
    assert [point["n"] for point in document["points"]] == SIZES
    assert all({"error", "low", "high", "n", "method"} <= set(point["dev"]) for point in document["points"])
    assert all({"n", "low", "high", "p_target", "method"} <= set(each) for each in document["ahead"]["at"])
    assert [each["ratio"] for each in document["ahead"]["at"]] == [2, 4]
    assert set(document["ahead"]["bound"]) == {"ratio", "n", "not_below", "level", "method"}
    assert len(document["trainings"]) == 21
    draw_curve(curve, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("dev", "target", "command"),
    [
        (falling, 0.085, "mlproj errors export base --out errors.xlsx"),
        (falling, 0.03, "mlproj diagnose bias-variance base"),
        (lambda n: 0.1 + 0.1 * (n / 1000), 0.04, "mlproj search --like base"),
        (lambda n: 0.5 - 0.4 * (n / 1000) ** 2, 0.04, "mlproj diagnose learning-curve base --sizes"),
    ],
)
def test_there_is_one_next_command(dev: Errors, target: float, command: str) -> None:
    curve = judged(dev, target=target)
    assert next_for_curve(curve, None, "base", repeats=3).startswith(command), curve.text


def test_a_train_dev_set_has_a_curve_of_its_own_and_bounds_the_gain() -> None:
    fits = [
        CurveFit(
            n, n, r, r, "", {"error": {"train": 0.02, "train_dev": 0.06 + 0.001 * r, "dev": falling(n) + 0.001 * r}}
        )
        for n in SIZES
        for r in range(3)
    ]
    curve = judge_curve(fits, Asked("error", distributions_differ=True), {"dev": 900, "train_dev": 900}, n_draws=100)
    assert curve.most_gain is not None
    assert curve.most_gain[0] == pytest.approx(0.041)
    text = render_curve(curve)
    assert "train-dev %" in text
    assert max(map(len, text.splitlines())) <= 96
    without = [replace(fit, values={"error": {"train": 0.02, "dev": fit.values["error"]["dev"]}}) for fit in fits]
    alone = judge_curve(without, Asked("error", distributions_differ=True), {"dev": 900}, n_draws=100)
    assert alone.most_gain is None  # dev is of another distribution: its gap to train is no bound


def test_the_text_stays_within_its_width_and_names_what_it_shows() -> None:
    text = render_curve(judged(falling, lambda _: 0.01, target=0.085), "mlproj errors export base")
    assert max(map(len, text.splitlines())) <= 96
    for part in ("examples", "D dev", "t train", "2x", "4x", "10x", "not below", "Conclusion:", "What to do:", "Next:"):
        assert part in text
