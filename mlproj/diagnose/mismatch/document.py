"""A mismatch as a JSON document; numbers that are not finite become null."""

from collections.abc import Mapping
from typing import Any

from mlproj.diagnose.mismatch.effects import Effect
from mlproj.diagnose.mismatch.gap import GapView
from mlproj.diagnose.mismatch.parts import SplitGap, Term
from mlproj.diagnose.mismatch.report import AnswerRow, Mismatch, Shown, SourceView
from mlproj.diagnose.mismatch.separation import Separation
from mlproj.diagnose.mismatch.shift import SplitShift
from mlproj.diagnose.render import finite
from mlproj.records import Rung


def to_mismatch_document(
    found: Mismatch, next_command: str = "", *, run: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The comparison as a JSON document.

    Args:
        found: What was found.
        next_command: The command to run next.
        run: Id and name of the run it speaks of, and how that was chosen.
    """
    return {
        "run": dict(run or {"id": None, "name": None, "chosen": None}),
        "sets": list(found.names),
        "gap": None if found.gap is None else _gap(found.gap),
        "parts": [{"by": by.name, "metric": by.metric, **_split(by.split)} for by in found.parts],
        "inputs": None if found.separation is None else _separation(found.separation),
        "flagged": found.is_flagged,
        "features": {"tested": len(found.effects), "found": [_effect(effect) for effect in found.effects]},
        "examples": {
            "first_like_second": [_shown(example) for example in found.first_like_second],
            "only_second": [_shown(example) for example in found.only_second],
        },
        "shift": None if found.shift is None else _shift(found.shift),
        "sources": [_source(source) for source in found.sources],
        "answers": [_answer(row) for row in found.answers],
        "action": {"name": found.action.name, "text": found.action.text, "command": next_command or None},
        "notes": list(found.notes),
        "next": next_command,
    }


def _gap(gap: GapView) -> dict[str, Any]:
    return {
        "metric": gap.metric, "scale": gap.scale, "first": _rung(gap.first), "second": _rung(gap.second),
        "size": finite(gap.size), "low": finite(gap.low), "high": finite(gap.high), "min_gap": finite(gap.min_gap),
        "state": gap.state, "n": [gap.first.n, gap.second.n], "method": gap.method,
        "matched_prevalence": None if gap.matched is None else dict(gap.matched),
    }  # fmt: skip


def _rung(rung: Rung) -> dict[str, Any]:
    return {
        "name": rung.name, "error": finite(rung.error), "low": finite(rung.low), "high": finite(rung.high),
        "n": rung.n, "method": rung.method,
    }  # fmt: skip


def _term(term: Term | None) -> dict[str, Any] | None:
    return None if term is None else {"value": finite(term.value), "low": finite(term.low), "high": finite(term.high)}


def _split(split: SplitGap) -> dict[str, Any]:
    rows = [
        {
            "part": row.name, "n": list(row.n), "shares": list(row.shares),
            "losses": [finite(loss) for loss in row.losses], "mix": finite(row.mix), "within": finite(row.within),
        }
        for row in split.rows
    ]  # fmt: skip
    return {
        "gap": finite(split.gap), "mix": _term(split.mix), "within": _term(split.within), "rows": rows,
        "one_sided": list(split.one_sided), "n": list(split.n), "method": split.method,
    }  # fmt: skip


def _separation(seen: Separation) -> dict[str, Any]:
    return {
        "p": finite(seen.p), "auc": finite(seen.auc), "low": finite(seen.low), "high": finite(seen.high),
        "unlike_at_least": finite(seen.variation), "classifier": seen.classifier, "n": list(seen.n),
        "permutations": seen.n_permutations, "method": seen.method,
    }  # fmt: skip


def _effect(effect: Effect) -> dict[str, Any]:
    return {
        "feature": effect.feature, "kind": effect.kind, "effect": finite(effect.size),
        "effect_method": "Cliff's delta" if effect.kind == "number" else "Jensen-Shannon divergence, bits",
        "auc": finite(effect.auc), "importance": finite(effect.importance), "p": finite(effect.p),
        "q": finite(effect.q), "first": effect.first, "second": effect.second, "n": list(effect.n),
        "method": effect.test,
    }  # fmt: skip


def _shown(example: Shown) -> dict[str, Any]:
    return {"id": example.id, "p_second": finite(example.score), "cells": dict(example.cells)}


def _shift(shift: SplitShift) -> dict[str, Any]:
    return {
        "split": shift.is_split, "gap": finite(shift.gap), "harder": _term(shift.harder),
        "answers": _term(shift.answers), "unseen": _term(shift.unseen),
        "overlap": [finite(worth) for worth in shift.overlap], "n": list(shift.n), "method": shift.method,
    }  # fmt: skip


def _source(source: SourceView) -> dict[str, Any]:
    pools = [
        {
            "feature": pool.feature, "distinct": pool.distinct, "n": pool.n, "expected": finite(pool.expected),
            "dev": finite(pool.dev), "at": pool.at, "method": "rarefaction (Hurlbert 1971)",
        }
        for pool in source.pools
    ]  # fmt: skip
    return {"source": source.name, **_separation(source.separation), "far": source.is_far, "pools": pools}


def _answer(row: AnswerRow) -> dict[str, Any]:
    return {
        "answer": row.answer, "shares": [finite(row.first), finite(row.second)], "difference": finite(row.difference),
        "low": finite(row.low), "high": finite(row.high), "n": list(row.n), "method": "Newcombe 1998, method 10",
    }  # fmt: skip
