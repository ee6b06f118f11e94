"""What wrong labels do to the error that is measured: of the errors, of the right answers, and of both together.

A sheet of errors shows the labels that made a right answer look wrong. The other kind, wrong answers that a wrong label
calls right, hides among the right answers, and few of those are looked at: how much they may still hide is said.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mlproj.error_analysis.ceilings import product, shown_error, stands_for
from mlproj.error_analysis.merge import Opinion
from mlproj.error_analysis.sheet import Manifest, Stratum
from mlproj.metrics.intervals import wilson

FIX_FROM = 0.1
"""Lower limit of the labels' share among the errors from which mending them is worth it (method of two cases: 6 of 100
errors are not, 30 of 100 are)."""
Limits = tuple[float, float, float]


def audit(manifest: Manifest, opinions: Sequence[Opinion]) -> dict[str, Any]:
    """What the reviewers found about the labels.

    Returns:
        JSON-ready. Of errors: `wrong`, `n` (errors looked at), `share` with `low` and `high`, `error_due_to_labels`,
        `error_due_to_other_causes`, `fix`. Where right answers were looked at too: `hidden`. Where the design allows
        it: `rate`, the share of wrong labels in the split. Keys that nothing is known of are null.
    """
    judged = [o for o in opinions if o.label_ok or o.wrong]
    looked_at = opinions if judged else []  # in a reviewed row an empty cell says that nothing is wrong with the label
    found: dict[str, Any] = {
        "wrong": 0, "ambiguous": sum(o.label_ok == "ambiguous" for o in opinions), "n": 0, "share": None, "low": None,
        "high": None, "error_due_to_labels": None, "error_due_to_other_causes": None, "fix": False, "hidden": None,
        "rate": None, "method": None,
    }  # fmt: skip
    if manifest.design == "labels" or manifest.task == "regression":
        found["wrong"] = count_wrong(opinions)
        found["n"] = len(looked_at)
        return found | {"rate": _rate(manifest, looked_at)}
    errors = [o for o in looked_at if o.example.y_true != o.example.y_pred]
    wrong = count_wrong(errors)
    found |= {"wrong": wrong, "n": len(errors)}
    if errors:
        found |= _of_errors(manifest, errors, stands_for(manifest, looked_at))
    right = [o for o in looked_at if o.example.y_true == o.example.y_pred]
    found["hidden"] = _hidden(manifest, errors, right) if manifest.design == "errors" else None
    found["rate"] = _rate(manifest, looked_at) if manifest.design == "suspects" else None
    return found


def count_wrong(opinions: Sequence[Opinion]) -> int | float:
    """How many labels are wrong; one on which reviewers are divided counts half."""
    count = float(sum(o.wrong for o in opinions))
    return int(count) if count.is_integer() else count


def _of_errors(manifest: Manifest, errors: Sequence[Opinion], stands: Mapping[str, float]) -> dict[str, Any]:
    mass = [stands[o.example.stratum] * o.example.metric_weight for o in errors]
    share = sum(m * o.wrong for m, o in zip(mass, errors, strict=True)) / sum(mass)
    n_effective = sum(mass) ** 2 / sum(m * m for m in mass)
    low, high = wilson(share, n_effective)
    error = shown_error(manifest)
    return {
        "share": share,
        "low": low,
        "high": high,
        "error_due_to_labels": share * error,
        "error_due_to_other_causes": (1 - share) * error,
        "fix": low > FIX_FROM,
        "method": "Wilson",
    }


def _hidden(manifest: Manifest, errors: Sequence[Opinion], right: Sequence[Opinion]) -> dict[str, Any]:
    """The error against true labels: e = W_e (1 − a) + W_c b.

    a is the share of errors in which the model was right after all, b the share of right answers that a wrong label
    hid, W_e and W_c the shares of errors and right answers on the split. Limits of products
    and sum by MOVER (Zou & Donner 2008). `at_most` is the one-sided 95 % limit of W_c b (Clopper & Pearson 1934).
    """
    w_error, w_right = manifest.error, 1 - manifest.error
    n_right, n_wrong = len(right), count_wrong(right)
    document: dict[str, Any] = {"n": n_right, "wrong": n_wrong, "at_most": None, "more": None}
    document |= {"error": None, "low": None, "high": None}
    if not n_right:
        return document
    at_most = w_right * upper_limit(n_wrong, n_right)
    wanted = max(w_error / 2, 1e-6)
    needed = math.ceil(math.log(0.05) / math.log1p(-min(wanted / w_right, 0.999))) if w_right > 0 else 0
    document |= {"at_most": at_most, "more": max(needed - n_right, 0) if n_wrong == 0 else None}
    if errors:
        model_right = count_wrong([o for o in errors if o.corrected in ("", o.example.y_pred)])
        a, b = model_right / len(errors), n_wrong / n_right
        a_limits, b_limits = wilson(a, len(errors)), wilson(b, n_right)
        low_w, high_w = wilson(w_error, manifest.n)
        kept = product(1 - a, (1 - a_limits[1], 1 - a_limits[0]), w_error, (low_w, high_w))
        hidden = product(b, b_limits, w_right, (1 - high_w, 1 - low_w))
        error, low, high = add([(w_error * (1 - a), *kept), (w_right * b, *hidden)])
        document |= {"error": error, "low": low, "high": high}
    return document


def _rate(manifest: Manifest, opinions: Sequence[Opinion]) -> dict[str, Any] | None:
    """Share of wrong labels in the pool that the sheet was drawn from, over its strata."""
    if not opinions:
        return None
    total = sum(stratum.population for stratum in manifest.strata.values())
    parts: list[Limits] = []
    for name, stratum in manifest.strata.items():
        rows = [o for o in opinions if o.example.stratum == name]
        if stratum.population == 0:
            continue
        if not rows:
            return None  # nobody looked into a part of the pool
        part = _part(stratum, count_wrong(rows), len(rows))
        weight = stratum.population / total
        parts.append((weight * part[0], weight * part[1], weight * part[2]))
    value, low, high = add(parts)
    method = "Wilson in each stratum, MOVER for their sum"
    limits = {"low": max(low, 0.0), "high": min(high, 1.0)}
    return {"value": value, **limits, "n": len(opinions), "of": total, "method": method}


def _part(stratum: Stratum, wrong: float, n: int) -> Limits:
    """Rate in a stratum: Wilson with the finite-population correction, which is exact when all of it was looked at."""
    rate = wrong / n
    if n >= stratum.population:
        return rate, rate, rate
    spared = (stratum.population - 1) / (stratum.population - n)
    return (rate, *wilson(rate, n * spared))


def add(parts: Sequence[Limits]) -> Limits:
    """Sum of independent estimates with limits: distances to the limits add in squares (Zou & Donner 2008, eq. 3).

    Example:
        >>> [round(v, 3) for v in add([(0.1, 0.06, 0.16), (0.2, 0.17, 0.24)])]
        [0.3, 0.25, 0.372]
    """
    value = sum(part[0] for part in parts)
    down = math.sqrt(sum((part[0] - part[1]) ** 2 for part in parts))
    up = math.sqrt(sum((part[2] - part[0]) ** 2 for part in parts))
    return value, value - down, value + up


def upper_limit(count: float, n: int, level: float = 0.95) -> float:
    """One-sided upper limit of a rate (Clopper & Pearson 1934): with none seen it is 1 − 0.05^(1/n), about 3/n.

    Example (none wrong among 100 looked at):
        >>> round(upper_limit(0, 100), 4)
        0.0295
    """
    from scipy.special import betaincinv

    return 1.0 if count >= n else float(betaincinv(count + 1, n - count, level))
