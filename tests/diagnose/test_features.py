"""What importances and suspects come to, in words and as a document."""

import json
from dataclasses import replace

import pytest

from mlproj.diagnose.features import conclude, find_carriers, order_suspects
from mlproj.diagnose.features_text import features_document, features_text
from mlproj.records import FeatureReport, Importance, LeakSuspect


def importance(name: str, value: float, state: str = "unclear", half: float = 0.02) -> Importance:
    found = Importance((name,), value, value - half, value + half, 0.01, 500, 10, "m", 0.02)
    return replace(found, state=state)  # type: ignore[arg-type]


REPORT = FeatureReport(
    "error", (0.1, 0.08, 0.12), "Wilson", 0.4, 500,
    (importance("a", 0.2, "matters"), importance("b", 0.05, "matters"), importance("c", 0.001)),
    {"a": 0.3, "b": 0.1, "c": 0.0}, 900, (), 0.8,
)  # fmt: skip
LEAK = LeakSuspect("a", "determines", "it alone predicts all", 0.0, 900, "m", strong=True)


def test_a_leak_comes_before_all() -> None:
    hurt = (*REPORT.importances, importance("d", -0.1, "hurts"))
    end = conclude(replace(REPORT, suspects=(LEAK,), importances=hurt))
    assert (end.step, end.columns) == ("exclude", ("a",))
    assert conclude(replace(REPORT, importances=hurt)).columns == ("d",)
    assert "7.0" not in conclude(replace(REPORT, importances=hurt)).text


@pytest.mark.parametrize(
    ("report", "step"),
    [
        (REPORT, "ladder"),
        (replace(REPORT, constant=0.1), "constant"),
        (replace(REPORT, importances=tuple(importance(n, 0.001) for n in "abc")), "ladder"),
        (replace(REPORT, importances=(REPORT.importances[0], *(importance(n, 0.001) for n in "cde"))), "ladder"),
        (
            replace(REPORT, importances=(REPORT.importances[0], *(importance(n, 0.001, half=0.004) for n in "cde"))),
            "drop_idle",
        ),
    ],
)
def test_the_conclusion_follows_the_claims(report: FeatureReport, step: str) -> None:
    assert conclude(report).step == step


def test_a_column_that_carries_all_alone_is_a_suspect_and_two_that_share_are_not() -> None:
    alone = [importance("a", 0.3, "matters"), importance("b", 0.01), importance("c", 0.0)]
    assert [each.column for each in find_carriers(alone, 0.1, 0.4)] == ["a"]
    assert find_carriers([alone[0], importance("b", 0.2, "matters"), alone[2]], 0.1, 0.4) == []
    assert find_carriers(alone[:2], 0.1, 0.4) == []  # of two columns one is always first
    assert find_carriers(alone, 0.35, 0.4) == []  # there is not much to carry
    assert find_carriers(alone, 0.1, None) == []


def test_the_table_has_bars_claims_members_and_commands() -> None:
    group = replace(REPORT.importances[0], columns=("a", "z"), members=(importance("a", 0.05), importance("z", 0.04)))
    report = replace(REPORT, importances=(group, importance("d", -0.1, "hurts")), suspects=(LEAK,))
    text = features_text(report, "So it is.", {"a": "mlproj train --without a"}, "mlproj next")
    lines = text.splitlines()
    assert next(line for line in lines if line.startswith("a + z")).endswith("████████████████  matters")
    assert any(line.startswith("  z ") for line in lines)
    assert next(line for line in lines if line.startswith("d ")).endswith("HURTS")
    assert "░" in text
    assert "    mlproj train --without a" in lines
    assert lines[-1] == "next: mlproj next"
    assert max(map(len, lines)) <= 100


def test_the_document_gives_n_and_method_for_every_number_and_nothing_that_json_lacks() -> None:
    broken = replace(REPORT.importances[2], value=float("nan"), low=float("-inf"), high=float("inf"))
    report = replace(REPORT, importances=(*REPORT.importances[:2], broken), suspects=(LEAK,))
    document = features_document(report, "x", {"a": "mlproj train"}, "mlproj next", run={"id": "1"})
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    for row in (document["base"], *document["importances"], *document["alone"].values(), *document["suspects"]):
        assert row["n"] > 0
        assert row["method"]
    assert document["tested"] == 3
    assert "undefined" in features_text(report, "x", {"a": "c"}, "n")


def test_strong_signs_come_first_and_those_of_one_column_together() -> None:
    weak = LeakSuspect("b", "id", "", 1.0, 9, "m")
    also = replace(LEAK, kind="missing", strong=False)
    assert [each.kind for each in order_suspects([weak, also, LEAK])] == ["determines", "missing", "id"]
