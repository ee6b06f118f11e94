"""What proves a promise: counts checked against Wilson's interval itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.data.proofs import describe_proof, find_proofs
from mlproj.data.sizes import plan_proof
from mlproj.metrics import promises
from mlproj.metrics.intervals import wilson
from mlproj.records import Answers


def test_a_recall_of_95_percent_takes_73_positives_all_found() -> None:
    assert plan_proof(0.95, 73).misses == 0
    assert plan_proof(0.95, 72).misses == -1
    assert plan_proof(0.95, 10).least == 73


@given(st.floats(0.01, 0.999), st.integers(1, 5000))
def test_one_more_miss_would_not_prove_it(limit: float, n: int) -> None:
    proof = plan_proof(limit, n)
    assert proof.least is not None
    assert (proof.misses >= 0) == (wilson(1.0, n)[0] >= limit)
    if proof.misses >= 0:
        assert wilson((n - proof.misses) / n, n)[0] >= limit
    if proof.misses < n:
        assert wilson((n - proof.misses - 1) / n, n)[0] < limit
    assert wilson(1.0, proof.least)[0] >= limit - 1e-9
    assert proof.least == 1 or wilson(1.0, proof.least - 1)[0] < limit


@pytest.mark.parametrize("limit", [1.0, 1.5])
def test_certainty_is_proved_by_no_number(limit: float) -> None:
    assert plan_proof(limit, 10**6).least is None


def truth(n_negative: int, n_positive: int) -> dict[str, Answers]:
    """The truth of dev, with whatever answers."""
    y = np.repeat([0, 1], [n_negative, n_positive])
    return {"": Answers(y, np.zeros_like(y), ("no", "yes"))}


def told(limit: str, n_negative: int = 462, n_positive: int = 38, **more: np.ndarray) -> tuple[str, bool]:
    """What is said of one limit, and whether it is a warning."""
    name, _, rest = limit.partition(" ")
    (found,) = find_proofs({name: rest}, truth(n_negative, n_positive), **more)
    return found.text, found.is_warning


def test_too_few_positives_are_said_with_what_they_prove_and_what_it_takes() -> None:
    assert told("recall >= 0.95") == (
        "recall >= 0.95 with 38 examples of 'yes' on dev: even with all 38 right only 0.908 is proved; it takes at "
        "least 73, all right: grow dev to about 961 examples.",
        True,
    )


def test_a_share_that_can_be_proved_says_how_many_may_be_wrong() -> None:
    text, is_warning = told("recall >= 0.95", 800, 200)
    assert "at most 3 of them wrong proves it (fewest that can: 73)" in text
    assert not is_warning
    dev = truth(800, 200)[""]
    for wrong, status in ((3, "met"), (4, "unknown")):
        answers = dev.y_true.copy()
        answers[-wrong:] = 0
        (promise,) = promises({"recall": ">= 0.95"}, Answers(dev.y_true, answers, dev.classes))
        assert promise.status == status


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("error <= 0.05", "error <= 0.05 with 500 examples on dev: at most 15 of them wrong"),
        ("specificity > 0.99", "with 462 examples of 'no' on dev: at most 0"),
        ("precision >= 0.9", "with 38 answers 'yes', as many as there are such examples, on dev: at most 0"),
        ("accuracy >= 100%", "a limit of 100 % is proved by no number"),
        ("f1 >= 0.99", "even a model without a single error on dev proves only 0.9"),
        ("roc_auc >= 0.9", "a model without a single error on dev would prove 0.9"),
        ("log_loss <= 0.3", "depends on how the model's errors spread; after training `mlproj check-metric` tells"),
        ("mcc >= 1", "a limit without any slack is proved by no number"),
    ],
)
def test_every_limit_is_spoken_of(limit: str, words: str) -> None:
    assert words.replace("at most 0", "all of them right") in told(limit)[0]


def test_a_limit_that_points_the_easy_way_needs_no_proof() -> None:
    assert find_proofs({"recall": "<= 0.9", "error": ">= 0.1", "size_mb": "<= 5"}, truth(10, 10)) == []


def test_a_split_without_the_class_proves_nothing() -> None:
    text, is_warning = told("recall >= 0.95", 50, 0)
    assert "with 0 examples of 'yes' on dev: it takes at least 73, all right: make dev larger" in text
    assert is_warning


def test_weights_and_groups_tell_less_than_their_number() -> None:
    weight = np.where(np.arange(500) % 50 == 0, 200.0, 1.0)
    text, is_warning = told("accuracy >= 0.95", weight=weight)
    assert is_warning
    assert "500 examples on dev, which weighted as they are tell as much as" in text
    group = np.repeat(np.arange(100), 5).astype(str)
    text, is_warning = told("accuracy >= 0.9", group=group)
    assert "grouped as they are tell as much as" in text
    assert "all of them right proves it" in text
    assert not is_warning


def test_so_large_a_dev_set_as_is_asked_for_proves_it() -> None:
    for limit in ("recall >= 0.95", "f1 >= 0.99", "balanced_accuracy >= 0.99", "roc_auc >= 0.99"):
        n = int(told(limit)[0].partition("about ")[2].partition(" ")[0].replace(",", ""))
        scale = 1.05 * n / 500  # "about"
        assert not told(limit, round(462 * scale), round(38 * scale))[1], limit


def test_several_labels_are_proved_by_their_mean() -> None:
    both = truth(40, 20) | {"dog": truth(40, 20)[""]}
    (found,) = find_proofs({"recall": ">= 0.95"}, both)
    assert found.is_warning
    assert "even a model without a single error on dev proves only 0.839" in found.text


def test_numbers_are_not_proved_beforehand() -> None:
    (found,) = find_proofs({"mae": "<= 3"}, {"": Answers(np.arange(5.0), np.zeros(5))})
    assert not found.is_warning


def test_error_is_bounded_from_above_in_words() -> None:
    assert "even with all 20 right only 0.162 is proved" in describe_proof("error <= 0.05", 0.95, 20, "examples").text
