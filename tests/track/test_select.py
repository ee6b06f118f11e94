"""Which run is meant."""

import pytest

from mlproj.errors import RunNotFound
from mlproj.records import Run
from mlproj.track.select import choose_run


def make(run_id: str, name: str, kind: str = "train", status: str = "FINISHED") -> Run:
    return Run(run_id, name, kind, status, 0.0)


RUNS = [
    make("dddd4444", "looking", "diagnosis"),
    make("cccc3333", "newest", status="RUNNING"),
    make("abcd2222", "wide"),
    make("abcd1111", "deep"),
    make("beef0000", "wide"),
]  # newest first


@pytest.mark.parametrize(
    ("selector", "run_id", "chosen"),
    [
        ("abcd1111", "abcd1111", "id"),
        ("ABCD1111", "abcd1111", "id"),
        ("beef", "beef0000", "prefix"),
        ("deep", "abcd1111", "name"),
        ("latest", "abcd2222", "latest"),
    ],
)
def test_a_run_is_found(selector: str, run_id: str, chosen: str) -> None:
    choice = choose_run(selector, RUNS)
    assert (choice.run.id, choice.chosen) == (run_id, chosen)


def test_of_several_of_one_name_the_newest_is_taken_and_it_says_so() -> None:
    choice = choose_run("wide", RUNS)
    assert choice.run.id == "abcd2222"
    assert choice.note == "2 runs are called 'wide'; this is the newest. Name another by its id."


def test_a_name_wins_over_a_prefix_and_an_id_over_a_name() -> None:
    runs = [make("abcd0000", "x"), make("ffff0000", "abcd"), make("eeee0000", "abcd0000")]
    assert choose_run("abcd", runs).run.id == "ffff0000"
    assert choose_run("abcd0000", runs).run.id == "abcd0000"


def test_an_ambiguous_prefix_lists_what_it_fits() -> None:
    with pytest.raises(RunNotFound, match=r"'abcd' fits the ids of 2 runs(.|\n)*abcd2222  wide\n  abcd1111  deep"):
        choose_run("abcd", RUNS)


def test_too_short_a_prefix_is_no_prefix() -> None:
    with pytest.raises(RunNotFound, match=r"No run is called 'be'.*Of an id, write at least 4 characters"):
        choose_run("be", RUNS)


def test_the_newest_trainings_are_offered_not_diagnoses() -> None:
    with pytest.raises(RunNotFound, match=r"The newest: newest \(cccc3333\), wide"):
        choose_run("nothing like it", RUNS)


@pytest.mark.parametrize(("selector", "guess"), [("newst", "newest"), ("depe", "deep"), ("abcd1211", "abcd1111")])
def test_a_slip_of_the_finger_is_answered_with_a_guess(selector: str, guess: str) -> None:
    with pytest.raises(RunNotFound, match=f"Did you mean '{guess}'"):
        choose_run(selector, RUNS)


def test_without_runs_the_message_says_how_to_make_one() -> None:
    with pytest.raises(RunNotFound, match="mlproj train"):
        choose_run("latest", [])
    with pytest.raises(RunNotFound, match="None of the 1 runs is a finished training"):
        choose_run("latest", RUNS[:1])


def test_the_name_of_a_group_of_seeds_means_its_first_seed() -> None:
    seeds = [
        Run(f"feed{seed:04d}", f"group-seed-{seed}", "train", status, 0.0, params={"seed": str(seed)},
            tags={"mlproj.seeds": "group"})
        for seed, status in ((11, "FINISHED"), (9, "FINISHED"), (2, "KILLED"))
    ]  # fmt: skip
    assert choose_run("group", seeds).run.name == "group-seed-9"
    assert choose_run("wide", [*RUNS, *seeds]).run.id == "abcd2222"
