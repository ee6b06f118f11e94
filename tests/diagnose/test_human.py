"""What people's labels amount to: what the label is beside them, the rung, names at both ends, noise, words."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from crowd import draw_answers, make_votes
from numpy.typing import NDArray

from mlproj.advise import next_command
from mlproj.diagnose import ladder_of, parse_rungs, render_text, to_document
from mlproj.diagnose.human import People, from_counts, from_votes, label_noise
from mlproj.diagnose.label_reading import read_label
from mlproj.diagnose.rungs import GivenRung
from mlproj.metrics.annotators import Votes
from mlproj.records import Ladder
from mlproj.spec.goal import Expert, HumanLevel

YES_NO = ("no", "yes")


def people_with_errors(seed: int, rates: tuple[float, ...], n: int = 1000) -> tuple[NDArray[Any], NDArray[Any]]:
    """A truth (I,) and the labels (I, m) of people who miss it at these rates."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    return truth, np.where(rng.random((n, len(rates))) < rates, 1 - truth[:, None], truth[:, None])


def same_process(seed: int, n: int = 600, m: int = 2, sharpness: float = 0.15) -> Votes:
    """People and a label that are draws from one posterior."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(2, sharpness), n)
    answers = draw_answers(rng, p, m + 1)
    return make_votes(answers[:, :m], answers[:, m], YES_NO)


def bracket(low: float, high: float, n: int = 2000) -> GivenRung:
    floor = GivenRung("human", low, n, limits=(low * 0.9, low * 1.1))
    return GivenRung("human", high, n, limits=(high * 0.9, high * 1.1), n_effective=float(n), floor=floor)


def ladder(human: GivenRung, *rungs: str) -> Ladder:
    return ladder_of(None, given=parse_rungs(rungs), human=HumanLevel(error=human.value), people=human)


def test_a_label_that_was_found_out_otherwise_is_gold() -> None:
    truth, answers = people_with_errors(0, (0.05, 0.08, 0.06))
    assert read_label(make_votes(answers, truth, YES_NO))[0] == "gold"


def test_a_label_that_is_their_majority_is_a_consensus() -> None:
    _, answers = people_with_errors(0, (0.05, 0.08, 0.06))
    majority = (answers.sum(axis=1) > 1).astype(np.int64)
    reading, reason = read_label(make_votes(answers, majority, YES_NO))
    assert reading == "consensus"
    assert "against their majority in 0 of 1,000" in reason
    people = from_votes(make_votes(answers, majority, YES_NO), "error")
    assert people.rung is None
    assert any("No human level" in note for note in people.notes)


def test_a_label_of_one_more_person_is_single() -> None:
    assert read_label(same_process(3))[0] == "single"


def test_two_good_people_cannot_tell_the_truth_from_their_vote() -> None:
    truth, answers = people_with_errors(1, (0.02, 0.02), n=400)
    reading, reason = read_label(make_votes(answers, truth, YES_NO))
    assert reading == "consensus"
    assert "as their mistakes seldom coincide" in reason
    told = from_votes(make_votes(answers, truth, YES_NO), "error", label_is="gold")
    assert told.rung is not None  # what was declared counts
    assert not any("taken as" in note for note in told.notes)


def test_a_label_that_is_one_annotators_own_counts_once() -> None:
    votes = same_process(4)
    first = votes.answer[votes.person == 0]
    copied = make_votes(np.column_stack([first, votes.answer[votes.person == 1]]), first, YES_NO)
    found = from_votes(copied, "error")
    assert found.document["label_is"] == "single"
    assert found.rung is not None
    assert found.rung.source.startswith("2 labels per item")
    assert any("counts once" in note for note in found.notes)


def test_declared_single_a_copied_label_counts_once_too() -> None:
    votes = same_process(4)
    first = votes.answer[votes.person == 0]
    copied = make_votes(np.column_stack([first, votes.answer[votes.person == 1]]), first, YES_NO)
    rung = from_votes(copied, "error", label_is="single").rung
    assert rung is not None
    assert rung.source.startswith("2 labels per item")


def test_labels_that_are_those_of_the_data_are_no_second_labels() -> None:
    truth = np.random.default_rng(0).integers(0, 2, 200)
    found = from_votes(make_votes(truth[:, None], truth, YES_NO), "error")
    assert found.rung is None
    assert "no example has two labels" in found.notes[-1]


def test_the_readings_are_right_nearly_always() -> None:
    single = [read_label(same_process(seed))[0] for seed in range(60)]
    gold, vote = [], []
    for seed in range(60):
        truth, answers = people_with_errors(seed, (0.06, 0.08, 0.1), n=600)
        gold.append(read_label(make_votes(answers, truth, YES_NO))[0])
        majority = (answers.sum(axis=1) > 1).astype(np.int64)
        vote.append(read_label(make_votes(answers, majority, YES_NO))[0])
    assert np.mean([each == "single" for each in single]) >= 0.93
    assert np.mean([each == "gold" for each in gold]) >= 0.93
    assert set(vote) == {"consensus"}


def test_the_rung_of_a_bracket_says_where_it_comes_from() -> None:
    found = from_votes(same_process(5), "error", label_is="single")
    rung = found.rung
    assert rung is not None
    assert rung.floor is not None
    assert rung.limits is not None
    assert rung.floor.value < rung.value
    assert rung.floor.limits is not None
    assert rung.floor.limits[0] < rung.floor.value < rung.floor.limits[1]
    assert rung.source == f"3 labels per item; bracket {100 * rung.floor.value:.1f}–{100 * rung.value:.1f} %"
    assert found.document["disagreement"]["n"] == 600


def test_the_best_expert_is_the_rung_where_the_label_is_gold() -> None:
    truth, answers = people_with_errors(2, (0.10, 0.04))
    found = from_votes(make_votes(answers, truth, YES_NO), "error", label_is="gold")
    assert found.rung is not None
    assert found.rung.source == "the best of 2: b"
    assert found.rung.value == pytest.approx(0.04, abs=0.012)
    assert found.document["best"]["as_measured"] == np.mean(answers[:, 1] != truth)


def test_counts_of_experts_make_the_rung() -> None:
    found = from_counts([Expert(by="one", error=0.01, n=20_000), Expert(by="team", error=0.005, n=20_000)])
    assert found.rung is not None
    known = ladder(found.rung, "train=0.6%:100000", "dev=0.8%:100000")
    assert {gap.name: round(100 * gap.size, 2) for gap in known.gaps} == {"avoidable_bias": 0.1, "variance": 0.2}


def test_a_gap_is_named_only_if_it_is_the_largest_at_both_ends() -> None:
    rungs = ("train=5%:20000", "dev=8%:20000")
    assert ladder(bracket(0.049, 0.05), *rungs).verdict.named == "variance"
    assert ladder(bracket(0.001, 0.05), *rungs).verdict.state == "unresolved"  # bias may be 4.9 points
    assert ladder(bracket(0.001, 0.002), *rungs).verdict.named == "avoidable_bias"
    close = ladder(bracket(0.019, 0.05), *rungs)  # at the lower end bias and variance are about the same
    assert close.verdict.state == "unresolved"
    assert next(gap for gap in close.gaps if gap.name == "variance").p_largest < 0.7


def test_avoidable_bias_needs_the_upper_end_and_its_interval_reaches_the_lower() -> None:
    found = ladder(bracket(0.01, 0.04), "train=8%:20000", "dev=8.5%:20000")
    gap = next(gap for gap in found.gaps if gap.name == "avoidable_bias")
    assert found.verdict.named == "avoidable_bias"
    assert gap.size == pytest.approx(0.04)
    assert gap.other_end == pytest.approx(0.07)
    assert gap.high > 0.07
    human = found.rung("human")
    assert human is not None
    assert (human.error, human.floor) == (0.04, 0.01)
    assert human.low == pytest.approx(0.009)


def test_past_human_level_must_hold_at_both_ends() -> None:
    rungs = ("train=2%:20000", "dev=3%:20000")
    assert ladder(bracket(0.01, 0.06), *rungs).verdict.state != "past_human"
    assert ladder(bracket(0.05, 0.06), *rungs).verdict.state == "past_human"


def test_a_training_error_within_the_bracket_leaves_bias_open() -> None:
    notes = " ".join(ladder(bracket(0.01, 0.06), "train=3%:20000", "dev=9%:20000").notes)
    assert "yet not below what the best possible model would" in notes
    notes = " ".join(ladder(bracket(0.05, 0.06), "train=3%:20000", "dev=9%:20000").notes)
    assert "The training error is below human level" in notes


def test_a_human_level_of_the_target_decides_whether_people_are_beaten() -> None:
    training = GivenRung("human", 0.04, 2000, on="training", on_target=GivenRung("human", 0.01, 2000, on="target"))
    found = ladder(training, "train=1%:20000", "train_dev=1.5%:20000", "dev=2%:20000")
    assert found.verdict.state != "past_human"
    alone = ladder(GivenRung("human", 0.04, 2000), "train=1%:20000", "train_dev=1.5%:20000", "dev=2%:20000")
    assert alone.verdict.state == "past_human"


def test_more_labels_of_people_are_no_figure_to_be_typed_in() -> None:
    known = ladder(bracket(0.02, 0.04, n=25), "train=5%:100000", "dev=7.5%:100000")
    known = replace(known, verdict=replace(known.verdict, resolve={"grow": "human", "by": 300}))
    told = replace(known, people={"both": {}})
    assert "--human" not in next_command(told, (), subject="keras.csv")
    assert "--human" in next_command(known, (), subject="keras.csv")


def test_a_human_level_of_the_target_alone_makes_a_mixed_gap() -> None:
    rungs = ("train=3%:5000", "train_dev=3.5%:5000", "dev=6%:5000")
    found = ladder(GivenRung("human", 0.02, 2000, on="target"), *rungs)
    gap = found.gaps[0]
    assert (gap.mixed, gap.other_end) == (True, 0.03)
    line = next(line for line in render_text(found).splitlines() if line.startswith("avoidable bias"))
    assert line.endswith("mixed")
    assert to_document(found)["gaps"][0]["mixed"]
    alike = ladder(GivenRung("human", 0.02, 2000), *rungs)
    assert not any(each.mixed or each.other_end is not None for each in alike.gaps)


def test_labels_that_differ_speak_of_the_error_alone() -> None:
    found = from_votes(same_process(6), "f1", label_is="single")
    assert found.rung is None
    assert "cannot stand beside f1" in found.notes[0]


def test_numbers_of_several_people_bracket_the_rmse() -> None:
    rng = np.random.default_rng(7)
    centre = rng.normal(scale=10, size=500)
    labels = centre[:, None] + rng.normal(scale=2, size=(500, 3))
    votes = make_votes(labels[:, :2], labels[:, 2], ())
    found = from_votes(votes, "rmse")
    assert found.document["label_is"] == "single"
    assert found.rung is not None
    assert found.rung.floor is not None
    assert found.rung.floor.value == pytest.approx(2.0, rel=0.06)
    assert found.rung.value == pytest.approx(2 * 2**0.5, rel=0.06)
    squared = from_votes(votes, "mse").rung
    assert squared is not None
    assert squared.value == pytest.approx(found.rung.value**2)
    assert from_votes(votes, "mae").rung is None


def test_the_mean_of_several_numbers_is_a_consensus() -> None:
    labels = np.random.default_rng(8).normal(size=(200, 3))
    assert read_label(make_votes(labels, labels.mean(axis=1), ()))[0] == "consensus"
    assert read_label(make_votes(labels, np.median(labels, axis=1), ()))[0] == "consensus"


def test_where_nobody_labelled_twice_nothing_can_be_said() -> None:
    votes = make_votes(np.array([[0], [1]]), np.array([-1, -1]), YES_NO)
    found = from_votes(votes, "error", label_is="single")
    assert found.rung is None
    assert "no example has two labels" in found.notes[-1]


def test_random_label_noise_is_taken_out_of_the_rungs() -> None:
    found = from_votes(same_process(9), "error", label_is="single")
    assert found.rung is not None
    known = ladder(found.rung, "train=20%:5000", "dev=25%:5000")
    text, document = label_noise(found, known)
    assert text is not None
    assert document is not None
    assert found.rung.floor is not None
    nu = document["rate"]["value"]
    assert nu == found.rung.floor.value
    assert document["rungs"][1]["value"] == pytest.approx((0.25 - nu) / (1 - 2 * nu))
    assert label_noise(found, known, ("train",))[0] is None
    assert label_noise(People(None, "error", (), {}), known) == (None, None)


def test_the_text_and_the_document_show_the_source() -> None:
    found = from_votes(same_process(10), "error", label_is="single")
    assert found.rung is not None
    known = ladder(found.rung, "train=20%:5000", "dev=25%:5000")
    assert "3 labels per item; bracket" in render_text(known).splitlines()[1]
    rung = to_document(known)["rungs"][0]
    assert rung["source"] == found.rung.source
    assert rung["bracket"] == {"low": found.rung.floor.value if found.rung.floor else None, "high": found.rung.value}
    assert to_document(known)["gaps"][0]["bracket"]["high"] > to_document(known)["gaps"][0]["bracket"]["low"]
