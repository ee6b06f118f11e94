"""The known answers of the method, every state, every combination of missing rungs, and ladders from predictions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from mlproj.diagnose import ladder_of, parse_rungs
from mlproj.errors import InvalidInput
from mlproj.metrics import as_loss, score
from mlproj.metrics.intervals import wilson
from mlproj.records import Answers, Ladder, Predictions
from mlproj.spec.goal import HumanLevel, Metric


def ladder(*rungs: str, **options: Any) -> Ladder:
    return ladder_of(None, given=parse_rungs(rungs), **options)


def gap_sizes(found: Ladder) -> dict[str, float]:
    return {gap.name: round(gap.size, 6) for gap in found.gaps}


@pytest.mark.parametrize("n", ["", ":20000"])
@pytest.mark.parametrize(
    ("errors", "named"),
    [
        ((0, 0.01, 0.09, 0.10), "variance"),
        ((0, 0.01, 0.015, 0.10), "data_mismatch"),
        ((0, 0.10, 0.11, 0.12), "avoidable_bias"),
        ((0.01, 0.08, None, 0.10), "avoidable_bias"),
        ((0.075, 0.08, None, 0.10), "variance"),
    ],
)
def test_known_answers_of_the_method(errors: Sequence[float | None], named: str, n: str) -> None:
    human, train, train_dev, dev = errors
    rungs = [f"human={human}", f"train={train}{n}", f"dev={dev}{n}"]
    found = ladder(*rungs, *([f"train_dev={train_dev}{n}"] if train_dev is not None else []))
    assert (found.verdict.state, found.verdict.named) == ("named", named)
    assert found.verdict.candidates == (named,)


def test_bias_and_mismatch_remain_where_both_are_large() -> None:
    found = ladder("human=0", "train=10%:1000", "train_dev=11%:1000", "dev=20%:1000")
    assert found.verdict.state == "unresolved"
    assert found.verdict.named is None
    assert found.verdict.candidates == ("avoidable_bias", "data_mismatch")
    assert "avoidable bias" in found.verdict.text
    assert "data mismatch" in found.verdict.text


def test_a_second_large_gap_is_mentioned_when_the_first_is_named() -> None:
    found = ladder("human=0", "train=10%:50000", "train_dev=11%:50000", "dev=20%:50000")
    assert found.verdict.named == "avoidable_bias"
    assert "Worth closing next: data mismatch (9.0 points)" in found.verdict.text


def test_a_team_of_experts_leaves_little_to_close() -> None:
    found = ladder("human=0.5%", "train=0.6%:20000", "dev=0.8%:20000")
    assert gap_sizes(found) == {"avoidable_bias": 0.001, "variance": 0.002}
    assert found.verdict.state == "nothing_to_close"
    assert found.verdict.candidates == ()


def test_past_human_level_is_said_instead_of_a_negative_bias() -> None:
    found = ladder("human=5%", "train=1%:20000", "dev=2%:20000")
    assert (found.verdict.state, found.verdict.named) == ("past_human", None)
    assert found.verdict.candidates == ("variance",)
    assert "Past human level" in found.verdict.text
    assert "-4" not in found.verdict.text


def test_a_test_error_at_human_level_outweighs_a_lucky_dev_set() -> None:
    rungs = ("human=24%:2000", "train=22%:6000", "dev=8%:60", "test=24%:2000")
    assert ladder(*rungs[:3]).verdict.state == "past_human"
    found = ladder(*rungs)
    assert found.verdict.state != "past_human"
    assert "overfitting_to_dev" in found.verdict.candidates
    assert ladder(*rungs[:3], "test=10%:2000").verdict.state == "past_human"


def test_a_dev_error_near_human_level_is_not_past_it() -> None:
    assert ladder("human=5%:200", "train=1%:20000", "dev=4.5%:500").verdict.state != "past_human"


def test_a_training_error_below_human_level_is_ordinary_overfitting() -> None:
    found = ladder("human=5%", "train=1%:20000", "dev=9%:20000")
    assert found.verdict.named == "variance"
    bias = found.gaps[0]
    assert bias.size < 0
    assert bias.p_largest == 0
    assert any("no avoidable bias" in note for note in found.notes)


def test_without_human_level_variance_must_exceed_the_training_error() -> None:
    sure = ladder("train=1%:20000", "dev=9%:20000")
    assert sure.verdict.named == "variance"
    assert [gap.name for gap in sure.gaps] == ["training_error", "variance"]
    unsure = ladder("train=4%:20000", "dev=9%:1000")
    assert unsure.verdict.state == "unresolved"
    assert set(unsure.verdict.candidates) == {"variance", "training_error"}
    assert unsure.verdict.resolve is not None
    assert unsure.verdict.resolve["grow"] == "human"


def test_the_training_error_itself_is_never_named() -> None:
    for n in ("", ":100000"):
        found = ladder(f"train=30%{n}", f"dev=31%{n}")
        assert (found.verdict.state, found.verdict.named) == ("unresolved", None)
        assert found.verdict.candidates == ("training_error",)
        assert "human_level" in found.verdict.text


def test_without_train_dev_two_distributions_leave_one_gap() -> None:
    found = ladder("human=0.5%", "train=1%:5000", "dev=12%:5000", distributions_differ=True)
    assert [gap.name for gap in found.gaps] == ["avoidable_bias", "variance_or_data_mismatch"]
    assert found.verdict.named == "variance_or_data_mismatch"
    assert found.verdict.resolve is not None
    assert found.verdict.resolve["grow"] == "train_dev"
    assert found.verdict.resolve["by"] > 0


def test_human_level_on_the_target_only_is_a_bracket() -> None:
    rungs = parse_rungs(["train=8%:20000", "train_dev=11%:20000", "dev=12%:20000"])
    level = HumanLevel(error=0.06, on="target")
    found = ladder_of(None, given=rungs, human=level, metric="error", metric_is_asked=True)
    plain = ladder_of(None, given=rungs, human=HumanLevel(error=0.06), metric="error", metric_is_asked=True)
    assert plain.verdict.named == "variance"
    assert found.verdict.state == "unresolved"  # with a human error of 0 on the training distribution it would be bias
    bias = found.gaps[0]
    assert bias.size == pytest.approx(0.02)
    assert bias.high == pytest.approx(wilson(0.08, 20000)[1])
    assert any("both ends" in note for note in found.notes)
    assert found.rungs[0].distribution == "target"


def test_a_test_rung_adds_overfitting_to_dev() -> None:
    found = ladder("human=0", "train=1%:20000", "train_dev=2%:20000", "dev=3%:20000", "test=12%:20000")
    assert found.verdict.named == "overfitting_to_dev"
    assert gap_sizes(found)["overfitting_to_dev"] == 0.09


def test_a_sealed_test_set_is_shown_without_its_error() -> None:
    found = ladder("human=0", "train=1%:20000", "dev=9%:20000", sealed_test_n=500)
    rung = found.rung("test")
    assert rung is not None
    assert (rung.error, rung.low, rung.high, rung.n, rung.sealed) == (None, None, None, 500, True)
    assert "overfitting_to_dev" not in gap_sizes(found)


@pytest.mark.parametrize(
    ("rungs", "gaps", "candidates"),
    [
        (("dev=9%:500",), [], ("training_error", "variance")),
        (("dev=9%:500", "human=1%:500"), [], ("avoidable_bias", "variance")),
        (("dev=9%", "train_dev=8%", "human=1%"), ["data_mismatch"], ("avoidable_bias", "variance")),
    ],
)
def test_without_a_training_rung_bias_and_variance_stay_one_lump(
    rungs: tuple[str, ...], gaps: list[str], candidates: tuple[str, ...]
) -> None:
    found = ladder(*rungs)
    assert [gap.name for gap in found.gaps] == gaps
    assert found.verdict.state == "unresolved"
    assert found.verdict.candidates == candidates
    assert found.verdict.resolve is not None
    assert found.verdict.resolve["grow"] == "train"


def test_without_a_training_rung_a_mismatch_that_beats_the_lump_is_still_named() -> None:
    assert ladder("human=1%", "train_dev=2%:5000", "dev=20%:5000").verdict.named == "data_mismatch"


def test_a_lone_dev_rung_without_errors_has_nothing_to_close() -> None:
    assert ladder("dev=0:100000").verdict.state == "nothing_to_close"


def test_a_ladder_needs_a_dev_rung() -> None:
    with pytest.raises(InvalidInput, match=r"(?s)needs a dev rung; there are: human, train.*--rung dev=ERROR:N"):
        ladder("human=0", "train=1%")


def test_equal_constants_share_the_largest_gap() -> None:
    found = ladder("human=0", "train=0.1", "dev=0.2")
    assert [gap.p_largest for gap in found.gaps] == [0.5, 0.5]
    assert found.verdict.state == "unresolved"
    assert found.verdict.resolve is None


def test_probabilities_of_the_gaps_sum_to_one() -> None:
    found = ladder("human=1%:50", "train=3%:90", "train_dev=4%:90", "dev=5%:90", "test=5%:90")
    assert sum(gap.p_largest for gap in found.gaps) == pytest.approx(1.0)


def test_the_smallest_gap_worth_closing_can_be_set() -> None:
    rungs = ("human=0", "train=1%:100000", "dev=5%:100000")
    assert ladder(*rungs).verdict.named == "variance"
    assert ladder(*rungs, min_gap=0.1).verdict.state == "nothing_to_close"
    assert ladder(*rungs, min_gap=0.0399).verdict.state == "unresolved"


def test_numbers_with_half_widths_make_a_ladder() -> None:
    rungs = ("human=21500±1400", "train=28900±400", "dev=32100±900")
    found = ladder(*rungs, metric="mae", metric_is_asked=True)
    assert found.verdict.named == "avoidable_bias"
    assert (found.rungs[0].low, found.rungs[0].high) == (20100, 22900)
    assert "points" not in found.verdict.text
    assert ladder(*rungs, metric="mae", metric_is_asked=True).gaps == found.gaps  # the same seed, the same numbers


def test_a_sampled_number_needs_its_half_width() -> None:
    with pytest.raises(InvalidInput, match=r"(?s)n does not say how sure a value of mae is.*dev=32100±"):
        ladder("train=28900±400", "dev=32100:500", metric="mae", metric_is_asked=True)


def classified(n: int = 3000, seed: int = 0, n_classes: int = 2) -> Predictions:
    rng = np.random.default_rng(seed)
    split = rng.choice(["train", "dev"], n, p=[0.7, 0.3])
    y = rng.integers(0, n_classes, n)
    wrong = rng.random(n) < np.where(split == "train", 0.02, 0.12)
    answer = np.where(wrong, (y + 1) % n_classes, y)
    p = np.full((n, n_classes), 0.1 / max(n_classes - 1, 1))
    p[np.arange(n), answer] = 0.9
    names = tuple(f"c{k}" for k in range(n_classes))
    return Predictions(np.arange(n).astype(str), split, {"": Answers(y, answer, names, p)})


def test_a_ladder_from_predictions_measures_each_split() -> None:
    content = classified()
    found = ladder_of(content, human=HumanLevel(error=0.01, n=500))
    dev = found.rung("dev")
    assert dev is not None
    part = content.part("dev")
    x = int((part.answers.y_pred != part.answers.y_true).sum())
    assert (dev.error, dev.n) == (x / len(part), len(part))
    assert (dev.low, dev.high) == wilson(x / len(part), len(part))
    assert found.verdict.named == "variance"
    assert found.constant is not None
    assert found.constant["value"] == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    "metric", ["error", "accuracy", "f1", "f1_macro", "mcc", "roc_auc", "log_loss", "brier", "recall"]
)
def test_every_rung_is_the_metric_as_a_loss(metric: Metric) -> None:
    content = classified()
    found = ladder_of(content, metric=metric, metric_is_asked=True)
    for rung in found.rungs:
        part = content.part(rung.name)
        assert rung.error == pytest.approx(as_loss(metric, score(metric, part.answers)))
        assert rung.low is not None
        assert rung.high is not None
        assert rung.low <= (rung.error or 0.0) <= rung.high
    assert found.verdict.named == "variance" or found.verdict.state == "unresolved"


@pytest.mark.parametrize("metric", ["mae", "mse", "rmse", "mape", "r2"])
def test_metrics_of_numbers(metric: Metric) -> None:
    rng = np.random.default_rng(4)
    y = rng.normal(10, 2, 900)
    split = np.repeat(["train", "dev"], [600, 300])
    answer = y + rng.normal(size=900) * np.where(split == "train", 0.1, 1.0)
    content = Predictions(np.arange(900).astype(str), split, {"": Answers(y, answer)})
    found = ladder_of(
        content, metric=metric, human=HumanLevel(metric=metric, value=score(metric, content.part("train").answers))
    )
    assert found.metric == metric
    assert found.verdict.named == "variance"


def test_the_metric_of_the_human_level_decides_unless_another_is_asked_for() -> None:
    content = classified()
    level = HumanLevel(metric="f1", value=0.98, n=300)
    assert ladder_of(content, human=level, metric="roc_auc").metric == "f1"
    assert ladder_of(content, human=HumanLevel(error=0.01), metric="f1").metric == "error"
    assert ladder_of(content, metric="f1").metric == "f1"
    assert ladder_of(content).metric == "error"
    asked = ladder_of(content, human=level, metric="error", metric_is_asked=True)
    assert asked.metric == "error"
    assert asked.rung("human") is None
    assert any("given in f1" in note for note in asked.notes)


def test_scores_are_shown_as_losses() -> None:
    found = ladder_of(classified(), human=HumanLevel(metric="f1", value=0.98))
    assert found.scale == "1 - f1"
    human = found.rung("human")
    assert human is not None
    assert human.error == pytest.approx(0.02)
    assert any("'c1'" in note for note in found.notes)


def test_weights_make_a_weighted_error() -> None:
    content = classified()
    weight = np.where(content.answers.y_true == 1, 10.0, 1.0)
    weighted = Predictions(content.ids, content.split, content.labels, weight)
    found = ladder_of(weighted)
    dev = found.rung("dev")
    assert dev is not None
    part = weighted.part("dev")
    assert dev.error == pytest.approx(score("error", part.answers, part.weight))
    assert found.scale == "weighted error"
    assert "effective n" in dev.method


def test_groups_widen_the_interval() -> None:
    content = classified(n_classes=2)
    rng = np.random.default_rng(0)
    group = rng.integers(0, 20, len(content)).astype(str)
    wrong = np.isin(group, ["3", "7"])
    answers = Answers(
        content.answers.y_true, np.where(wrong, 1 - content.answers.y_true, content.answers.y_true), ("a", "b")
    )
    plain = ladder_of(Predictions(content.ids, content.split, {"": answers}))
    grouped = ladder_of(Predictions(content.ids, content.split, {"": answers}, group=group))
    a, b = plain.rung("dev"), grouped.rung("dev")
    assert a is not None
    assert b is not None
    assert (b.high or 0) - (b.low or 0) > 3 * ((a.high or 0) - (a.low or 0))


def test_several_labels_count_examples_not_cells() -> None:
    rng = np.random.default_rng(1)
    n = 800
    y = rng.integers(0, 2, n)
    wrong = rng.random(n) < 0.1
    same = Answers(y, np.where(wrong, 1 - y, y), ("no", "yes"))
    one = Predictions(np.arange(n).astype(str), np.full(n, "dev"), {"": same})
    three = Predictions(one.ids, one.split, {"a": same, "b": same, "c": same})
    alone, together = ladder_of(one).rungs[0], ladder_of(three).rungs[0]
    assert together.error == pytest.approx(alone.error)
    assert together.low == pytest.approx(alone.low, rel=0.02)
    assert together.high == pytest.approx(alone.high, rel=0.02)


def test_several_labels_without_an_error_count_labelled_examples_only() -> None:
    y = np.zeros(120, dtype=np.int64)
    unlabelled = np.where(np.arange(120) < 20, -1, y)
    labels = {name: Answers(unlabelled, y, ("0", "1")) for name in ("a", "b", "c")}
    rows = np.arange(120).astype(str)
    found = ladder_of(Predictions(rows, np.repeat(["dev"], 120), labels))
    dev = found.rung("dev")
    assert dev is not None
    assert dev.high == pytest.approx(wilson(0.0, 100)[1], rel=0.03)


def test_missing_labels_are_left_out_and_counted() -> None:
    content = classified(400)
    truth = content.answers.y_true.copy()
    truth[np.flatnonzero(content.split == "dev")[:7]] = -1
    answers = Answers(truth, content.answers.y_pred, content.answers.classes)
    found = ladder_of(Predictions(content.ids, content.split, {"": answers}))
    dev = found.rung("dev")
    assert dev is not None
    assert dev.n == int((content.split == "dev").sum()) - 7
    assert any("7 dev rows have no label" in note for note in found.notes)


def test_dev_without_truth_is_refused() -> None:
    content = classified(100)
    blank = Answers(np.full(100, -1), content.answers.y_pred, content.answers.classes)
    with pytest.raises(InvalidInput, match=r"(?s)dev rows have no y_true.*Add the column y_true"):
        ladder_of(Predictions(content.ids, content.split, {"": blank}))


def test_rungs_by_hand_replace_measured_ones() -> None:
    found = ladder_of(classified(), given=parse_rungs(["train=0.031:50000", "human=1%:500"]))
    train = found.rung("train")
    assert train is not None
    assert (train.error, train.n) == (0.031, 50000)
    assert any("Given by hand instead of measured: train" in note for note in found.notes)


def test_a_human_error_of_numbers_borrows_its_spread() -> None:
    rng = np.random.default_rng(4)
    y = rng.normal(size=500)
    content = Predictions(np.arange(500).astype(str), np.full(500, "dev"), {"": Answers(y, y + rng.normal(size=500))})
    found = ladder_of(content, human=HumanLevel(error=0.5, n=500))
    human, dev = found.rungs
    assert human.low is not None
    assert human.high is not None
    assert dev.low is not None
    assert dev.high is not None
    relative = (dev.high - dev.low) / (dev.error or 1)
    assert (human.high - human.low) / 0.5 == pytest.approx(relative, rel=0.1)


def test_repeated_ids_and_leaks_are_noted() -> None:
    content = classified(60)
    ids = content.ids.copy()
    dev, train = np.flatnonzero(content.split == "dev"), np.flatnonzero(content.split == "train")
    ids[dev[0]] = ids[train[0]]
    ids[dev[1]] = ids[dev[2]]
    notes = ladder_of(Predictions(ids, content.split, content.labels)).notes
    assert any("1 ids stand in train and in dev" in note for note in notes)
    assert any("1 rows repeat an id" in note for note in notes)


def test_a_change_of_the_class_mix_is_told_apart_from_mismatch() -> None:
    rng = np.random.default_rng(8)
    n = 4000
    split = rng.choice(["train", "train_dev", "dev"], n)
    y = (rng.random(n) < np.where(split == "dev", 0.05, 0.5)).astype(int)
    wrong = rng.random(n) < 0.1
    content = Predictions(np.arange(n).astype(str), split, {"": Answers(y, np.where(wrong, 1 - y, y), ("no", "yes"))})
    found = ladder_of(content, metric="f1", metric_is_asked=True, distributions_differ=True)
    (note,) = [note for note in found.notes if "class mix" in note]
    dev, train_dev = found.rung("dev"), found.rung("train_dev")
    assert dev is not None
    assert train_dev is not None
    assert f"{100 * (dev.error or 0):.1f} %" in note
    assert found.matched is not None
    matched, gap = found.matched["dev"], found.matched["gap"]
    assert f"{100 * matched['error']:.1f} %" in note
    assert abs(matched["error"] - (train_dev.error or 0)) < 0.03 < (dev.error or 0) - (train_dev.error or 0)
    assert gap["low"] < 0 < gap["high"]
    assert matched["low"] < matched["error"] < matched["high"]


def test_a_mix_without_a_class_cannot_be_matched() -> None:
    split = np.array(["train"] * 4 + ["train_dev"] * 4 + ["dev"] * 4)
    y = np.array([0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0])
    content = Predictions(np.arange(12).astype(str), split, {"": Answers(y, 1 - y, ("no", "yes"))})
    found = ladder_of(content, metric="f1_macro", metric_is_asked=True, distributions_differ=True)
    assert found.matched == {"on": "train_dev", "dev": None, "gap": None, "mix": None}
    assert any("Dev lacks classes" in note for note in found.notes)


def test_one_heavy_example_is_pointed_at() -> None:
    y = np.zeros(50)
    answer = np.full(50, 0.1)
    answer[17] = 40.0
    content = Predictions(np.array([f"house {k}" for k in range(50)]), np.full(50, "dev"), {"": Answers(y, answer)})
    assert any("house 17" in note for note in ladder_of(content, metric="mae", metric_is_asked=True).notes)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_tiny_sets_still_get_a_ladder(n: int) -> None:
    for wrong in (False, True):
        y = np.zeros(n, dtype=np.int64)
        content = Predictions(np.arange(n).astype(str), np.full(n, "dev"), {"": Answers(y, y + int(wrong), ("a", "b"))})
        found = ladder_of(content)
        assert found.verdict.state == "unresolved"
    numbers = Predictions(np.arange(n).astype(str), np.full(n, "dev"), {"": Answers(np.zeros(n), np.arange(n) + 1.0)})
    found = ladder_of(numbers)
    assert found.metric == "rmse"
    assert (found.rungs[0].high is None) == (n == 1)


@pytest.mark.parametrize(
    ("metric", "needle"),
    [
        ("f1", "f1 speaks of one positive class"),
        ("rmse", "rmse is a regression metric"),
        ("eror", "Did you mean `error`"),
    ],
)
def test_metrics_that_do_not_suit_are_refused(metric: str, needle: str) -> None:
    with pytest.raises(InvalidInput, match=needle):
        ladder_of(classified(n_classes=3), metric=metric, metric_is_asked=True)


def test_an_undefined_metric_is_refused() -> None:
    content = classified(50)
    answers = Answers(np.zeros(50, dtype=np.int64), content.answers.y_pred, content.answers.classes, content.answers.p)
    with pytest.raises(InvalidInput, match="roc_auc is undefined on the"):
        ladder_of(Predictions(content.ids, content.split, {"": answers}), metric="roc_auc", metric_is_asked=True)


def test_a_dev_set_of_one_class_is_pointed_out() -> None:
    y = np.array([0, 1, 0, 1, 0, 0, 0, 0])
    split = np.array(["train"] * 4 + ["dev"] * 4)
    found = ladder_of(Predictions(np.arange(8).astype(str), split, {"": Answers(y, y, ("no", "yes"))}))
    assert any("Every labelled dev example is 'no'" in note for note in found.notes)
