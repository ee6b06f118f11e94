"""A search in words: what the table, the marks and the lines below it say."""

from typing import Any

from mlproj.cli.search_text import search_text


def row(number: int, value: float, *, feasible: bool = True, **more: Any) -> dict[str, Any]:
    params = {"training.learning_rate": 0.0123456, "model.hidden": [64, 32]}
    metrics = {"error": value, "recall": 0.9}
    return {"number": number, "params": params, "value": value, "feasible": feasible, "metrics": metrics} | more


def document(**changes: Any) -> dict[str, Any]:
    return {
        "metric": "error", "satisfy": {"recall": ">= 0.8"}, "complete": 2, "pruned": 0,
        "failed": 0, "made": 2, "seconds": 3.0,
        "slept": 0.0, "run_id": "0123456789", "stopped": "trials", "finalists": [row(4, 0.02), row(1, 0.05)],
        "verdict": {"text": "Trial 4 and trial 1 cannot be told apart."}, "importance": {}, "mattered": [], "edges": [],
        "widen": None, "failures": [], "answers_kept": 2, "next": "mlproj runs", "resume": None,
    } | changes  # fmt: skip


def test_the_table_has_value_limits_and_parameters_best_first() -> None:
    assert search_text(document()).splitlines() == [
        "2 trials finished in 3.0 s; run 01234567",
        "",
        "trial  dev error  recall  learning_rate    hidden",
        "4          2.0 %  90.0 %         0.0123  [64, 32]",
        "1          5.0 %  90.0 %         0.0123  [64, 32]",
        "",
        "Trial 4 and trial 1 cannot be told apart.",
        "",
        "next: mlproj runs",
    ]


def test_a_section_is_told_by_its_kind_and_its_keys() -> None:
    params = {"training.schedule": {"kind": "cosine", "warmup": 0.1}}
    text = search_text(document(finalists=[row(4, 0.02, params=params)]))
    assert "schedule" in text
    assert "  cosine warmup=0.1\n" in text
    assert "{" not in text


def test_what_an_optimizer_does_not_read_is_a_dash() -> None:
    rows = [
        row(n, 0.02, params={"training.beta1": 0.95, "training.optimizer": name})
        for n, name in enumerate(("adam", "sgd"))
    ]
    lines = search_text(document(finalists=rows)).splitlines()
    assert lines[3].split()[-2:] == ["0.95", "adam"]
    assert lines[4].split()[-2:] == ["–", "sgd"]


def test_a_missed_limit_is_marked() -> None:
    text = search_text(document(finalists=[row(4, 0.02), row(1, 0.01, feasible=False)]))
    assert "\n1 !  " in text
    assert "\n! misses a limit of metric.satisfy\n" in text


def test_finalists_show_the_means_of_the_same_seeds_in_every_column() -> None:
    lines = search_text(
        document(finalists=[row(4, 0.02, mean=0.03, low=0.01, high=0.05, seeds=[0.02, 0.04])])
    ).splitlines()
    assert lines[2:5] == [
        "trial  mean dev error   95 % interval  mean recall  learning_rate    hidden",
        "4               3.0 %  [1.0 %, 5.0 %]       90.0 %         0.0123  [64, 32]",
        "means of 2 further seeds",
    ]


def test_what_mattered_is_named_only_beyond_chance() -> None:
    shares = {"training.learning_rate": 0.7, "model.hidden": 0.3}
    assert "what mattered: training.learning_rate 70 %\n" in search_text(
        document(importance=shares, mattered=["training.learning_rate"])
    )
    assert "what mattered cannot be told from 2 trials" in search_text(document(importance=shares))
    assert "mattered" not in search_text(document())


def test_an_edge_comes_with_the_wider_range_and_its_command() -> None:
    edge = {"path": "training.l2", "value": 0.0951, "end": "upper", "widened": {"log": [1e-4, 1.0]}}
    text = search_text(document(edges=[edge], widen="mlproj search --like search-1 --set …"))
    assert "the best training.l2, 0.0951, lies at the upper end of its range; better ones may lie in {log: [0.0001, 1.0]}" in text  # fmt: skip # noqa: E501
    assert "\n  mlproj search --like search-1 --set …\n" in text


def test_an_early_end_failures_sleep_and_lost_answers_are_said() -> None:
    failures = [{"reason": f"reason {n}\nmore", "trials": n} for n in (4, 3, 2, 1)]
    text = search_text(
        document(stopped="budget", resume="mlproj search --resume", failed=10, made=5, slept=3600.0, failures=failures,
                 answers_kept=1)
    )  # fmt: skip
    head = "2 trials finished, 10 failed; 5 trainings in 3.0 s (the machine slept 1 h 0 min, not counted); run 01234567"
    assert text.startswith(f"{head}\nThe time budget was used up; the rest: mlproj search --resume\n")
    assert "\n4 failed: reason 4\n3 failed: reason 3\n2 failed: reason 2\nand 1 more kinds of failure" in text
    assert "dev_predictions.npz lacks the answers of 1 trial" in text
