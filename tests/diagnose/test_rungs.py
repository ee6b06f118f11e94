"""Rungs given by hand: every form, and everything wrong reported in one go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.diagnose.rungs import GivenRung, as_given, check_scale, is_rate, parse_rung, parse_rungs
from mlproj.errors import InvalidInput
from mlproj.spec.goal import HumanLevel


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("human=0.005", ("human", 0.005, None, None)),
        ("train=8%:100000", ("train", 0.08, 100_000, None)),
        ("train_dev=0.09:2000", ("train_dev", 0.09, 2000, None)),
        ("train-dev=9 %:2_000", ("train_dev", 0.09, 2000, None)),
        ("DEV = .10 : 1e3", ("dev", 0.1, 1000, None)),
        ("human=21500±1400", ("human", 21500.0, None, 1400.0)),
        ("dev=9%±1%", ("dev", 0.09, None, 0.01)),
        ("dev=32100+-900", ("dev", 32100.0, None, 900.0)),
        ("dev=32100 +/- 900", ("dev", 32100.0, None, 900.0)),
        ("test=1e-3", ("test", 0.001, None, None)),
        ("human=0", ("human", 0.0, None, None)),
    ],
)
def test_every_form_of_a_rung(text: str, expected: tuple[str, float, int | None, float | None]) -> None:
    rung = parse_rung(text)
    assert (rung.name, rung.value, rung.n, rung.half_width) == expected


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("dev", "'dev': is no rung"),
        ("dev=", "is no rung"),
        ("=0.1", "'' is no rung"),
        ("humann=0.1", "Did you mean `human`"),
        ("validation=0.1", "Did you mean `dev`"),
        ("frog=0.1", "Rungs are human, train, train_dev, dev, test"),
        ("dev=ten", "'ten' is no number"),
        ("dev=nan", "'nan' is no number"),
        ("dev=1e999", "is no number"),
        ("dev=-0.1", "below 0"),
        ("dev=0.1:0", "n is '0'"),
        ("dev=0.1:2.5", "n is '2.5'"),
        ("dev=0.1:many", "n is 'many'"),
        ("dev=0.1:", "n is ''"),
        ("dev=0.1±wide", "half-width 'wide'"),
        ("dev=0.1±0.01:500", "neither error:n nor value±half_width"),
        ("dev=0.1±0.01±0.02", "neither error:n nor value±half_width"),
    ],
)
def test_what_is_no_rung_is_explained(text: str, needle: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_rung(text)
    assert needle in str(caught.value)
    assert text in str(caught.value)


def test_all_wrong_rungs_are_reported_together() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_rungs(["humann=1%", "dev=x", "train=0.1", "train=0.2"])
    assert len(caught.value.problems) == 3
    assert "train is given twice, first as 'train=0.1'" in str(caught.value)


def test_rungs_come_in_ladder_order() -> None:
    names = [rung.name for rung in parse_rungs(["test=.1", "dev=.1", "human=0", "train-dev=.1", "train=.1"])]
    assert names == ["human", "train", "train_dev", "dev", "test"]


@given(
    st.builds(
        GivenRung,
        name=st.sampled_from(["human", "train", "train_dev", "dev", "test"]),
        value=st.floats(0, 1e6).map(lambda value: float(f"{value:.12g}")),
        n=st.none() | st.integers(1, 10**9),
    )
)
def test_writing_a_rung_and_reading_it_is_the_identity(rung: GivenRung) -> None:
    back = parse_rung(str(rung))
    assert (back.name, back.value, back.n) == (rung.name, rung.value, rung.n)


def test_percent_without_its_sign_is_noticed() -> None:
    with pytest.raises(
        InvalidInput, match=r"(?s)8 is no error rate.*Write 8% if it is percent.*21500 is no error rate"
    ):
        check_scale(parse_rungs(["train=8", "dev=21500"]), "error")
    check_scale(parse_rungs(["train=8", "dev=21500"]), "mae")


def test_a_human_score_becomes_a_loss() -> None:
    assert as_given(HumanLevel(metric="f1", value=0.95, n=400)).value == pytest.approx(0.05)
    level = as_given(HumanLevel(error=21500, half_width=1400, on="target"))
    assert (level.value, level.half_width, level.on) == (21500, 1400, "target")


def test_rates_are_what_is_shown_in_percent() -> None:
    assert all(is_rate(name) for name in ("error", "accuracy", "f1_macro", "roc_auc", "balanced_accuracy"))
    assert not any(is_rate(name) for name in ("rmse", "mae", "log_loss", "brier", "mcc", "r2", "mape"))


def test_more_than_all_is_not_taken_for_a_forgotten_percent_sign() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_scale(parse_rungs(["train=101%"]), "error")
    assert "1.01%" not in str(caught.value)
