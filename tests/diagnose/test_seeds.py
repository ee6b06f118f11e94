"""The ladder of a recipe: known answers, simulated coverage, and what it says beside the ladder of the run."""

from dataclasses import replace

import numpy as np
import pytest

from mlproj.diagnose import ladder_of
from mlproj.diagnose.rungs import GivenRung, parse_rungs
from mlproj.diagnose.seeds import Procedure, procedure_of
from mlproj.diagnose.seeds_text import procedure_document, procedure_sentence, procedure_text
from mlproj.metrics.intervals import gather_units
from mlproj.records import Answers, Ladder, Predictions

SIZES = {"train": 3000, "train_dev": 400, "dev": 400}
RATES = {"train": 0.03, "train_dev": 0.09, "dev": 0.11}


def make_seeds(
    n_seeds: int, rng: np.random.Generator, *, spread: float = 0.0, noise: float = 0.2, group: int = 0
) -> dict[int, Predictions]:
    """Seeds of one recipe: examples with a difficulty of their own, seeds whose error rates vary by `spread`."""
    split = np.repeat(list(SIZES), list(SIZES.values()))
    hard = rng.random(len(split))
    if group:  # examples of one group are equally hard
        hard = rng.random(len(split))[np.arange(len(split)) // group * group]
    found = {}
    for seed in range(n_seeds):
        rate = np.concatenate([np.full(SIZES[s], RATES[s] + rng.normal(0, spread)) for s in SIZES])
        luck = np.where(rng.random(len(split)) < noise, rng.random(len(split)), hard)
        wrong = (luck < np.clip(rate, 0, 1)).astype(np.int64)
        answers = Answers(np.zeros(len(split), np.int64), wrong, ("no", "yes"))
        ids = np.array([f"e{i}" for i in range(len(split))])
        groups = np.array([f"g{i // group}" for i in range(len(split))]) if group else None
        found[seed] = Predictions(ids, split, {"": answers}, group=groups)
    return found


def judge(members: dict[int, Predictions], human: str = "human=0.01") -> tuple[Ladder, Procedure]:
    ladder = ladder_of(members[0], given=parse_rungs([human]), distributions_differ=True)
    found = procedure_of(members, ladder, distributions_differ=True)
    assert found is not None
    return ladder, found


def test_sizes_are_means_over_seeds_and_limits_hold_seeds_and_examples(seed: int) -> None:
    members = make_seeds(5, np.random.default_rng(seed), spread=0.01)
    gap = judge(members)[1].gaps[1]
    wrong = {
        s: np.array([m.answers.y_pred[m.split == s] for m in members.values()], dtype=np.float64)
        for s in ("train", "train_dev")
    }
    by_seed = wrong["train_dev"].mean(axis=1) - wrong["train"].mean(axis=1)
    variance = [gather_units(w.mean(axis=0)).variance for w in wrong.values()]
    assert gap.name == "variance"
    assert gap.over.value == pytest.approx(by_seed.mean())
    assert gap.over.spread == pytest.approx(by_seed.std(ddof=1))
    t = (gap.over.high - gap.over.value) / np.sqrt(by_seed.var(ddof=1) / 5 + sum(variance))
    assert 1.96 < t < 2.78  # between the normal and four degrees of freedom


def test_two_seeds_are_too_few() -> None:
    members = make_seeds(2, np.random.default_rng(0))
    assert procedure_of(members, ladder_of(members[0])) is None


@pytest.mark.parametrize(("n_seeds", "group"), [(3, 0), (5, 4)])
def test_limits_of_a_gap_cover_what_the_recipe_does_on_average(
    n_seeds: int, group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeds move each rate by .02, one answer in five is a seed's own luck; groups of four err together."""
    rng, held = np.random.default_rng(n_seeds), []
    ladder = ladder_of(make_seeds(1, rng)[0], distributions_differ=True)
    for room in ("draws", "seed_rungs", "samples"):  # joint draws name a gap; limits need none
        monkeypatch.setattr(f"mlproj.diagnose.{room}.N_DRAWS", 50)
    for _ in range(160):
        found = procedure_of(make_seeds(n_seeds, rng, spread=0.02, group=group), ladder, distributions_differ=True)
        assert found is not None
        over = found.gaps[1].over
        held.append(over.low <= RATES["train_dev"] - RATES["train"] <= over.high)
    assert 0.9 <= np.mean(held) <= 0.99


def test_examples_that_no_seed_got_wrong_are_not_taken_for_certain() -> None:
    members = make_seeds(4, np.random.default_rng(0))
    clean = {s: replace(m, labels={"": replace(m.answers, y_pred=m.answers.y_true)}) for s, m in members.items()}
    over = judge(clean, human="human=0")[1].gaps[2].over
    assert (over.value, over.low < 0 < over.high) == (0.0, True)
    assert 0.002 < over.high < 0.02


def test_seeds_that_agree_name_what_the_run_names_and_one_sentence_says_so(seed: int) -> None:
    ladder, found = judge(make_seeds(5, np.random.default_rng(seed)))
    assert ladder.verdict.named == found.named == "variance"
    assert procedure_sentence(found, ladder) == "Of this run and of the recipe (any seed): variance."


def test_seeds_that_differ_leave_open_what_one_run_names(seed: int) -> None:
    """The gap of one run is sure; that of the recipe moves by several points from seed to seed."""
    rng = np.random.default_rng(seed)
    members = make_seeds(3, rng, noise=0.0)
    lucky = {1: 0.02, 2: 0.05}
    for s, rate in lucky.items():
        part = members[s].split == "train_dev"
        answers = members[s].answers
        y = answers.y_pred.copy()
        y[part] = np.arange(part.sum()) < rate * part.sum()
        members[s] = replace(members[s], labels={"": replace(answers, y_pred=y)})
    ladder, found = judge(members)
    assert (ladder.verdict.named, found.state, found.named) == ("variance", "unresolved", None)
    text = procedure_text(found, ladder, "mlproj train --like first --set seed=3 --seeds 5")
    assert "Of this run: variance. Of the recipe (any seed): cannot tell yet" in " ".join(text.split())
    assert all(len(line) <= 96 for line in text.splitlines())


def test_more_seeds_are_asked_for_only_where_they_would_tell() -> None:
    rng = np.random.default_rng(3)
    members = make_seeds(3, rng, spread=0.0, noise=0.0)
    for s, shift in enumerate((-0.06, 0.0, 0.06)):  # a large gap that moves with the seed
        answers, part = members[s].answers, members[s].split != "train"
        y = answers.y_pred.copy()
        y[part] = np.arange(part.sum()) % 400 < (0.14 + shift) * 400
        members[s] = replace(members[s], labels={"": replace(answers, y_pred=y)})
    found = judge(members)[1]
    assert (found.state, found.candidates[0]) == ("unresolved", "variance")
    assert found.more_seeds is not None
    tied = make_seeds(3, rng)
    near = judge(tied, human="human=0")[1]  # named or tied by the examples: no seed would help
    assert near.more_seeds is None or near.state == "unresolved"


def test_a_metric_that_is_no_mean_goes_by_its_influences(seed: int) -> None:
    """F1 of four equal seeds: the limits are those of the linearised F1 on these examples."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, sum(SIZES.values()))
    base = make_seeds(1, rng, noise=0.0)[0]
    answers = Answers(truth, np.where(base.answers.y_pred == 1, 1 - truth, truth), ("no", "yes"))
    members = {s: replace(base, labels={"": answers}) for s in range(4)}
    ladder = ladder_of(members[0], metric="f1", metric_is_asked=True)
    found = procedure_of(members, ladder)
    assert found is not None
    assert [gap.over.spread for gap in found.gaps] == [0.0] * len(found.gaps)
    for own, gap in zip(ladder.gaps, found.gaps, strict=True):
        assert gap.over.value == pytest.approx(own.size)
        assert (gap.over.high - gap.over.low) / (own.high - own.low) == pytest.approx(1, abs=0.15)


def test_the_document_holds_every_number_with_its_n_and_method(seed: int) -> None:
    ladder, found = judge(make_seeds(3, np.random.default_rng(seed)), human="human=0.01:500")
    document = procedure_document(found, ladder)
    assert document["seeds"] == [0, 1, 2]
    for gap in document["gaps"]:
        assert {"size", "low", "high", "spread", "seeds", "p_largest"} <= set(gap)
        assert gap["seeds"] == 3
        assert gap["method"].startswith("Student's t over seeds")
    assert document["gaps"][0]["n"] == {"human": 500, "train": 3000}


def test_a_human_level_between_two_ends_keeps_both(seed: int) -> None:
    """People err in 1 % to 3 %: the avoidable bias of the recipe may be two points larger than at the upper end."""
    members = make_seeds(4, np.random.default_rng(seed))
    given = [GivenRung("human", 0.03, 900, floor=GivenRung("human", 0.01, 900))]
    ladder = ladder_of(members[0], given=given, distributions_differ=True)
    found, plain = procedure_of(members, ladder, distributions_differ=True), judge(members, human="human=0.03:900")[1]
    assert found is not None
    both = found.gaps[0].over, plain.gaps[0].over
    assert both[0].value == pytest.approx(both[1].value)
    assert both[0].high == pytest.approx(both[1].high + 0.02, abs=0.002)
    assert both[0].low == pytest.approx(both[1].low, abs=0.002)
    assert found.gaps[0].p_largest <= plain.gaps[0].p_largest + 0.01
