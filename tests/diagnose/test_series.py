"""The ladder as a series: a planted change is dated, chance is not claimed, and the words say what is known."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mlproj.diagnose import ladder_of
from mlproj.diagnose.series import Member, judge_series, rung_change, seed_spreads
from mlproj.diagnose.series_text import series_document, series_text
from mlproj.records import Answers, Entry, GapChange, Predictions

N = {"train": 400, "dev": 400}


def member(
    name: str,
    errors: dict[str, float],
    rng: np.random.Generator,
    *,
    metric: str = "error",
    n: dict[str, int] = N,
    hard: np.ndarray | None = None,
    spec: str = "",
) -> Member:
    """A run that errs at random at the rates asked for; `hard` makes runs err on the same examples."""
    split = np.repeat(list(n), list(n.values()))
    rate = np.repeat([errors[each] for each in n], list(n.values()))
    y = np.arange(len(split)) % 2
    draw = rng.random(len(split)) if hard is None else 0.7 * hard + 0.3 * rng.random(len(split))
    wrong = draw < (rate if hard is None else np.where(rate > 0, np.quantile(draw, rate), -1.0))
    answer = np.where(wrong, 1 - y, y)
    p = np.where(answer == 1, 0.8, 0.2)
    ids = np.array([f"{s}{k}" for k, s in enumerate(split)])
    predictions = Predictions(ids, split, {"": Answers(y, answer, ("no", "yes"), np.column_stack([1 - p, p]))})
    ladder = ladder_of(predictions, metric=metric, metric_is_asked=True, plan=False)
    return Member(Entry(name, name, "train", 0.0, ladder), predictions, spec, name)


def test_a_planted_change_is_dated_to_the_run_where_it_came(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rates = [0.3, 0.3, 0.1, 0.1]
    series = judge_series([member(f"r{k}", {"train": 0.03, "dev": rate}, rng) for k, rate in enumerate(rates)])
    found = {change.gap: change for change in series.changes}
    assert (found["variance"].since, found["variance"].before, found["dev"].since) == (2, 1, 2)
    assert found["variance"].low < -0.2 < found["variance"].high
    assert found["training_error"].since is None
    text = series_text(series, lambda _: "now")
    assert "Since r2 (against r1): variance shrank" in " ".join(text.split())
    assert "▼" in next(line for line in text.splitlines() if line.startswith("3  r2"))
    assert series.tested == 9
    assert [len(step) for step in series.steps] == [0, 3, 3, 3]


def test_a_change_in_small_steps_is_claimed_without_a_date(seed: int) -> None:
    rng = np.random.default_rng(seed)
    hard = np.linspace(0, 1, 800)[rng.permutation(800)]
    rates = np.linspace(0.3, 0.2, 12)
    runs = [member(f"r{k}", {"train": 0.03, "dev": rate}, rng, hard=hard) for k, rate in enumerate(rates)]
    series = judge_series(runs)
    dev = next(change for change in series.changes if change.gap == "dev")
    assert dev.is_claimed
    silent = replace(dev, since=None)
    text = series_text(replace(series, changes=(silent,)), lambda _: "now")
    assert f"After r{dev.before}: dev error shrank" in text
    assert "No single step since then is sure" in " ".join(text.split())
    assert "▼" not in text.partition("\n\n")[0]


def test_without_a_change_hardly_anything_is_claimed_and_intervals_cover() -> None:
    rng = np.random.default_rng(11)
    claimed, covered, hard = 0, 0, rng.random(800)
    for _ in range(60):
        runs = [member(f"r{k}", {"train": 0.05, "dev": 0.2}, rng, hard=hard if k % 2 else None) for k in range(4)]
        series = judge_series(runs)
        claimed += any(change.is_claimed for change in series.changes)
        covered += sum(c.low <= 0 <= c.high for step in series.steps for c in step if c.gap == "variance")
    assert claimed <= 7  # of 60; 3 are expected at 5 %
    assert covered / 180 >= 0.90  # 95 % asked for


def test_the_same_examples_make_a_change_surer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    hard = rng.random(800)
    a, b = (member(name, {"train": 0.05, "dev": rate}, rng, hard=hard) for name, rate in (("a", 0.3), ("b", 0.2)))
    paired, n, how = rung_change(a, b, "dev")
    other = replace(b, predictions=replace(b.predictions, ids=np.char.add(b.predictions.ids, "x")))
    apart, _, other_how = rung_change(a, other, "dev")
    assert paired[0] == pytest.approx(apart[0])
    assert paired[2] - paired[1] < 0.85 * (apart[2] - apart[1])
    assert (n, how.startswith("paired"), other_how) == (400, True, "different examples, MOVER")


def test_added_training_data_are_no_pair_and_scores_are_losses(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = member("a", {"train": 0.02, "dev": 0.3}, rng, metric="f1")
    b = member("b", {"train": 0.02, "dev": 0.1}, rng, metric="f1", n={"train": 900, "dev": 400})
    b = replace(
        b,
        predictions=replace(
            b.predictions, ids=np.array([*[f"t{k}" for k in range(900)], *a.predictions.part("dev").ids])
        ),
    )
    change = next(change for change in judge_series([a, b]).changes if change.gap == "variance")
    assert change.value == pytest.approx(b.entry.ladder.gaps[1].size - a.entry.ladder.gaps[1].size)
    assert change.since == 1
    assert "different examples" in change.method


def test_a_new_rung_makes_no_false_comparison(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = member("a", {"train": 0.05, "dev": 0.3}, rng)
    b = member("b", {"train": 0.05, "train_dev": 0.1, "dev": 0.3}, rng, n={"train": 400, "train_dev": 400, "dev": 400})
    assert {change.gap for change in judge_series([a, b]).changes} == {"training_error", "dev"}


def test_seeds_say_how_much_they_do_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fleet = [member(f"s{k}", {"train": 0.05, "dev": rate}, rng, spec="same") for k, rate in enumerate((0.1, 0.3, 0.2))]
    spreads, specs = seed_spreads(fleet)
    sizes = [each.entry.ladder.gaps[1].size for each in fleet]
    assert specs == 1
    assert spreads["variance"] == pytest.approx(4.303 * np.sqrt(2) * np.std(sizes, ddof=1), rel=1e-3)
    assert seed_spreads(fleet[:1]) == ({}, 0)
    text = series_text(judge_series(fleet), lambda _: "now")
    assert "1 spec that" in text
    assert "this may be one" in text or "No gap is known" in text


def test_one_run_is_the_beginning_of_a_series(seed: int) -> None:
    series = judge_series([member("a", {"train": 0.1, "dev": 0.2}, np.random.default_rng(seed))], apart={"why": ("b",)})
    text = series_text(series, lambda _: "now")
    assert "a series begins with the next" in text
    assert "Set apart, why: b." in text


def test_the_document_is_json_with_n_and_method(seed: int) -> None:
    rng = np.random.default_rng(seed)
    series = judge_series([member(name, {"train": 0.1, "dev": 0.2}, rng) for name in "ab"])
    broken = GapChange("variance", 0, 1, 0.1, float("-inf"), float("inf"), 1.0, 400, "none")
    document = series_document(replace(series, changes=(*series.changes, broken)))
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert all(change["n"] == 400 and change["method"] for change in document["changes"])
    assert document["changes"][-1]["low"] is None
    assert [run["name"] for run in document["runs"]] == ["a", "b"]


def test_tasks_of_two_kinds_are_followed_in_relative_loss(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def two(name: str, noise: float) -> Member:
        base = member(name, {"train": noise / 2, "dev": noise}, rng).predictions
        value = np.arange(800) % 7.0
        number = Answers(value, value + rng.normal(size=800) * 4 * noise)
        predictions = replace(base, labels={"car": base.answers, "distance": number})
        return Member(Entry(name, name, "train", 0.0, ladder_of(predictions, plan=False)), predictions)

    a, b = two("a", 0.4), two("b", 0.1)
    change = next(change for change in judge_series([a, b]).changes if change.gap == "dev")
    rungs = [each.entry.ladder.rung("dev") for each in (a, b)]
    assert rungs[0] is not None
    assert rungs[1] is not None
    assert change.value == pytest.approx((rungs[1].error or 0) - (rungs[0].error or 0))
    assert change.since == 1
