"""What would settle an unresolved ladder: the right rung, a number that works, and honesty where none does."""

from dataclasses import replace

import numpy as np
import pytest

from mlproj.diagnose import ladder_of, parse_rungs
from mlproj.diagnose.gaps import find_steps
from mlproj.diagnose.resolve import rank_rungs, round_up
from mlproj.diagnose.rungs import GivenRung
from mlproj.diagnose.samples import Sample, take
from mlproj.records import Ladder
from mlproj.spec.goal import HumanLevel


def rungs_of(**given: tuple[float, int | None]) -> dict[str, Sample]:
    return {name: take(GivenRung(name, value, n), "error") for name, (value, n) in given.items()}


def test_the_rung_that_contributes_most_to_the_contrast_comes_first() -> None:
    samples = rungs_of(human=(0.01, None), train=(0.05, 5000), train_dev=(0.10, 200), dev=(0.12, 2000))
    steps = find_steps(samples, distributions_differ=True)
    # bias − variance = 2·train − human − train_dev
    shares = {"train": 4 * 0.05 * 0.95 / 5000, "train_dev": 0.1 * 0.9 / 200}
    assert rank_rungs(samples, steps, [0.6, 0.4, 0.0]) == sorted(shares, key=lambda name: -shares[name])
    assert rank_rungs(samples, steps, [0.0, 0.6, 0.4])[0] == "train_dev"


@pytest.mark.parametrize(
    "texts",
    [
        ("human=1%", "train=5%:20000", "train_dev=7%:300", "dev=9%:20000"),
        ("human=1%:300", "train=5%:2000", "dev=6.5%:400"),
        ("human=0", "train=1%:10000", "dev=2.2%:400"),
        ("human=0:50", "train=0:50", "dev=6%:50"),
        ("human=0", "train=0:5", "dev=40%:5"),
    ],
)
def test_growing_by_the_number_advised_settles_about_half_of_the_futures(texts: tuple[str, ...]) -> None:
    found = ladder_of(None, given=parse_rungs(texts))
    resolve = found.verdict.resolve
    assert found.verdict.state == "unresolved"
    assert resolve is not None
    grow, by = resolve["grow"], resolve["by"]
    assert "with" not in resolve
    rng = np.random.default_rng(0)
    given = parse_rungs(texts)
    (old,) = [rung for rung in given if rung.name == grow]
    assert old.n is not None
    settled = 0
    for truth in take(old, "error").draws[:60]:
        x = round(old.value * old.n) + rng.binomial(by, truth)
        grown = GivenRung(grow, x / (old.n + by), old.n + by)
        again = ladder_of(None, given=[grown if rung.name == grow else rung for rung in given])
        settled += again.verdict.state in ("named", "nothing_to_close")
    assert 0.35 <= settled / 60 <= 0.75


def test_several_sets_grow_together_where_one_alone_does_not_help() -> None:
    found = ladder_of(None, given=parse_rungs(["human=0", "train=10%:1000", "train_dev=11%:1000", "dev=20%:1000"]))
    assert found.verdict.resolve is not None
    assert found.verdict.resolve["by"] > 1000
    assert set(found.verdict.resolve["with"]) == {"train", "train_dev"}
    assert "grown by the same factor" in found.verdict.text


def test_sets_grow_together_where_one_alone_takes_many_times_the_examples() -> None:
    # dev alone falls just short of an even chance, train alone would need 24,000
    found = ladder_of(None, given=parse_rungs(["human=2%", "train=0.704225%:284", "dev=2.923977%:171"]))
    assert found.verdict.resolve == {"grow": "dev", "by": pytest.approx(230, abs=50), "with": ["train"]}


def test_a_human_level_of_the_other_distribution_must_hold_at_both_ends_of_its_bracket() -> None:
    texts = ("train=2.3%:700", "train_dev=0.5%:200", "dev=4.3%:300")
    human = HumanLevel(error=0.02, n=300, on="target")

    def look(factor: float) -> Ladder:
        grown = [replace(rung, n=round((rung.n or 0) * factor)) for rung in parse_rungs(texts)]
        return ladder_of(None, given=grown, human=human, distributions_differ=True)

    verdict = look(1).verdict
    assert (verdict.state, verdict.candidates) == ("unresolved", ("data_mismatch",))
    assert verdict.resolve is not None
    assert verdict.resolve["by"] > 300  # with the human level taken as it is, a handful would do
    assert look(1 + verdict.resolve["by"] / 300).verdict.named == "data_mismatch"


def test_a_hopeless_tie_is_called_out_of_reach() -> None:
    found = ladder_of(None, given=parse_rungs(["human=0", "train=1%:1000000", "dev=2%:1000000"]))
    assert found.verdict.resolve == {"grow": "train", "by": None}
    assert "no growth of the sets within reach" in found.verdict.text


def test_small_sets_all_grow_where_a_third_gap_waits_behind_the_first_two() -> None:
    found = ladder_of(None, given=parse_rungs(["human=2%:100", "train=3%:300", "train_dev=4.5%:300", "dev=7%:300"]))
    assert found.verdict.resolve is not None
    assert found.verdict.resolve["grow"] == "train_dev"
    assert set(found.verdict.resolve["with"]) == {"dev", "train", "human"}


def test_rungs_without_n_cannot_be_grown_by_a_number() -> None:
    found = ladder_of(
        None, given=parse_rungs(["human=1±0.1", "train=2±0.3", "dev=3±0.3"]), metric="mae", metric_is_asked=True
    )
    assert found.verdict.state == "unresolved"
    assert found.verdict.resolve == {"grow": "train", "by": None}


@pytest.mark.parametrize("errors", [("train=8%:20000", "dev=9%:20000"), ("train=8%", "dev=9%")])
def test_a_missing_human_level_is_asked_for(errors: tuple[str, ...]) -> None:
    resolve = ladder_of(None, given=parse_rungs(errors)).verdict.resolve
    assert resolve is not None
    assert resolve["grow"] == "human"
    # 1.96² · p(1 − p) / (0.9 points)²
    assert resolve["by"] == (pytest.approx(3500, abs=100) if ":" in errors[0] else None)


@pytest.mark.parametrize(("number", "rounded"), [(1433, 1500), (220, 220), (7, 7), (0.3, 1), (999, 1000), (0, 0)])
def test_numbers_are_rounded_up_to_two_digits(number: float, rounded: int) -> None:
    assert round_up(number) == rounded
