"""The page docs/calibration.md, written from the figures of `calibrate.py`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_HEAD = """# Can the diagnosis be trusted?

<!-- written by `make calibrate`; figures in calibration.json -->

A ladder that names the wrong gap costs weeks. So everything it claims is tried out where the truth is known:
intervals are summed up exactly or simulated, and thousands of ladders are drawn from tasks whose errors we know.
`make test` tries the short version at every change; `make calibrate` takes some minutes, and wrote this page.

"""
_NAMES = {
    "human": "human level",
    "train_dev": "train-dev",
    "avoidable_bias": "avoidable bias",
    "data_mismatch": "data mismatch",
    "overfitting_to_dev": "overfitting to dev",
    "band": "all gaps of a ladder at once (`band`)",
    "unresolved": "unresolved",
    "nothing_to_close": "nothing to close",
    "past_human": "past human level",
}
_COLUMNS = (
    "avoidable_bias",
    "variance",
    "data_mismatch",
    "overfitting_to_dev",
    "unresolved",
    "nothing_to_close",
    "past_human",
)
_RULES = ("mlproj", "the largest gap", "skore's thresholds", "sklearn-diagnose's thresholds", "skore")


def write_page(found: Mapping[str, Any]) -> str:
    """The whole page.

    Args:
        found: What `calibrate.py` measured.
    """
    parts = [_summary(found), _ladders(found), _rules(found), _p_largest(found), _intervals(found), _limits(found)]
    return _HEAD + "\n".join(parts)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, numbers to the right.

    Example:
        >>> print(table(["a", "b"], [["x", "1"]]), end="")
        | a | b |
        |---|--:|
        | x | 1 |
    """
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    text = [f"| {' | '.join(line)} |" if line is not lines[1] else f"|{'|'.join(line)}|" for line in lines]
    return "\n".join(text) + "\n"


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def _named(counts: Mapping[str, int], kind: str) -> tuple[int, int, int]:
    """Ladders named rightly, named at all, and all."""
    named = sum(counts.get(name, 0) for name in _COLUMNS[:4])
    return counts.get(kind, 0), named, sum(counts.values())


def _summary(found: Mapping[str, Any]) -> str:
    planted = found["confusion_at_2000"].items()
    sick = [(kind, counts) for kind, counts in planted if kind not in ("healthy", "overfitting_to_dev")]
    right, named, total = (sum(column) for column in zip(*(_named(c, kind) for kind, c in sick), strict=True))
    _, alarms, healthy = _named(found["confusion_at_2000"].get("healthy", {}), "")
    return f"""## In short

{found["ladders"]:,} ladders; {found["machine"]}. All figures: [calibration.json](calibration.json).

* Where one gap dominates and each set has 2,000 examples, mlproj names a gap in {_share(named, total)} of the ladders;
  the name is right in {_share(right, named)} of them. Otherwise it says that it cannot tell, and what would.
* Where no gap is worth closing it names one in {_share(alarms, healthy)} ({alarms:,} of {healthy:,} ladders).
* Intervals of gaps between two samples hold the truth in 95 to 96 of 100 cases on average, never in fewer than
  {100 * found["gap_coverage"]["regular_least"]:.1f} where an error or more is to be expected on both sides.
"""


def _ladders(found: Mapping[str, Any]) -> str:
    rows = []
    for kind in (*_COLUMNS[:4], "healthy"):
        counts = found["confusion_at_2000"].get(kind, {})
        cells = [f"{counts[name]:,}" if counts.get(name) else "·" for name in _COLUMNS]
        rows.append([_NAMES.get(kind, kind), *cells, f"{sum(counts.values()):,}"])
    head = ["planted ↓ said →", *(_NAMES.get(name, name) for name in _COLUMNS), "ladders"]
    return f"""## Planted and named

A task is drawn at random: two to four classes, each a mixture of Gaussians, so that the probability of each class given
the inputs is a formula. Real networks are trained on it. Their true errors, that of an annotator and the smallest error
possible come from {found["asked"]["pool"]:,} fresh examples per task, which fixes them to a tenth of a point. Then sets
are drawn, answered, counted and judged. One dial is turned at a time: width of the network, training steps, examples to
train on, inputs that shift, classes that shift, or a choice among 300 models on 60 examples of dev; noise in the labels
comes on top. What counts as planted is not the dial but the true gaps: one of 3 points or more that is twice the next.
*Healthy* are ladders without a true gap worth closing (a tenth of the dev error, half a point at least).

With 2,000 examples for each of human level, train-dev, dev and test (60 for dev where it was chosen on):

{table(head, rows)}
*Unresolved* is the honest answer where sets are too small. *Past human level* is said where dev is easier than the
training data, on which human level was measured. The best of 300 models on 60 examples looks 8 to 10 points better
than it is, and the interval of 60 examples is wider than that: overfitting to dev hides in the smallness of the set
that caused it, and it takes a larger dev set to see it as well as to cure it.
"""


def _rules(found: Mapping[str, Any]) -> str:
    rows = []
    for rule in _RULES:
        for n, counts in found["rules"].get(rule, {}).items():
            sick = sum(counts.get(name, 0) for name in ("right", "wrong", "nothing"))
            well = counts.get("false alarm", 0) + counts.get("quiet", 0)
            cells = [_share(counts.get(name, 0), sick) for name in ("right", "wrong", "nothing")]
            rows.append(
                [f"{rule}, n = {int(n):,}", *cells, _share(counts.get("false alarm", 0), well), f"{sick + well:,}"]
            )
    asked = (
        f"*skore* are the checks of skore {found['skore']} itself, on all its default metrics and on fewer ladders."
        if found["skore"]
        else "skore was not installed for this run; its thresholds were applied to the accuracy."
    )
    head = ["rule", "right gap", "wrong gap", "nothing said", "false alarm when healthy", "ladders"]
    return f"""## Against fixed thresholds

The same ladders under other rules, by the number of examples per set, without those where dev was chosen on.
*skore's thresholds*: overfitting when the accuracy on train beats that on dev by 0.03 and by a tenth; underfitting when
neither beats the commonest class by 0.01 and by a twentieth (checks SKD001 and SKD002). *sklearn-diagnose's thresholds*
(0.1.2, its rules without a language model): overfitting from a difference of 0.10, underfitting below a training
accuracy of 0.60. Both know two causes, no human level and no train-dev set: what they call overfitting counts as
variance, underfitting as avoidable bias, so that data mismatch can only be called by a wrong name or missed. *The
largest gap* always names the largest one it sees.

{table(head, rows)}
{asked}
"""


def _p_largest(found: Mapping[str, Any]) -> str:
    columns = [("the ladders above", found["p_largest"])]
    columns += [(f"{one['gaps']}, n = {one['n']:,}", one["bins"]) for one in found["reliability"].values()]
    bins = sorted({row[0] for _, rows in columns for row in rows})
    lines = []
    for low in bins:
        by = [next((row for row in rows if row[0] == low), None) for _, rows in columns]
        cells = [f"{row[1]:.2f} → {row[2]:.2f} ({row[3]:,})" if row else "–" for row in by]
        lines.append([f"from {low:.2f}", *cells])
    head = ["P(largest)", *(name for name, _ in columns)]
    return f"""## P(largest)

Stated probability → how often that gap was the largest indeed (ladders). To the right, gaps drawn without networks:

{table(head, lines)}
Above 0.95, and where gaps of all sizes occur, the statement can be taken at its word. **Where all gaps are small
against their intervals it overstates**, and so it does a little on the ladders above, many of which hold two near
equals: beforehand it holds any size of gap for equally likely, and takes the luckiest for the largest. A prior that
draws four gaps together (Stein's harmonic one) takes away between a tenth and a half of the excess, does nothing for
three gaps or two, and costs up to an eighth of the right names; so the plain one stayed. This is why a name takes more
than P(largest): the lower limit of the gap must also exceed what is worth closing. Under such conditions mlproj names a
gap in few ladders, and the wrong one in no more than 2 of 100 (`tests/diagnose`).

At a near tie the lesser gap is named in at most 6 of 100 ladders. At an exact tie one of the two is named in one ladder
of ten, and either is as right as the other.
"""


def _intervals(found: Mapping[str, Any]) -> str:
    rows = [
        [_NAMES.get(name, name), f"{found['coverage'][name][0]:.3f}", f"{int(found['coverage'][name][1]):,}"]
        for name in ("human", "train_dev", "dev", "test", *_COLUMNS[:4], "band")
        if name in found["coverage"]
    ]
    metrics: dict[str, list[str]] = {}
    for label, metric, share in found["metric_coverage"]:
        text = f"{metric} {share:.3f}".replace("0.", ".").replace("1.000", "1")
        metrics.setdefault(label, []).append(f"**{text}**" if share < 0.92 else text)
    repeats = found["asked"]["repeats"]
    by_set = table(
        ["set", "share that holds the truth"], [[label, ", ".join(texts)] for label, texts in metrics.items()]
    )
    return f"""## Intervals

95 % intervals should hold the truth in 95 of 100 cases. On the ladders above (the training error of a finished model is
known exactly, so it has no row; dev sets that were chosen on are no fresh sample and are left out):

{table(["rung or gap", "share that holds the truth", "intervals"], rows)}
Gaps that start at train hold more often than promised, since train is judged as a sample although it is known.

**Other metrics**, {repeats:,} repeats each, below .92 in bold:

{by_set.replace("--:", "---")}
What is hard, and stays hard: a class of a dozen examples, of which macro figures know little; squared errors with heavy
tails, whose rare giants are seldom in the sample; a handful of groups that differ much.
"""


def _limits(found: Mapping[str, Any]) -> str:
    gap = found["gap_coverage"]
    lists = [
        _cells("Both rates sampled, at least one error expected on each side", gap["regular_below_93"]),
        _cells("Both sampled, less than one error expected on a side", gap["rare_below_93"]),
        _cells("Against a constant", gap["constant_below_93"]),
    ]
    return f"""## Every difference of two rates, exactly

The interval of a gap (Newcombe's method 10) was summed over everything that can be counted, for rates from 0.1 to 30 %
and 20 to 5,000 examples: {gap["cells"]:,} pairs. Where an error or more is to be expected on both sides
({gap["regular_cells"]:,} pairs), it holds the truth in {gap["regular_mean"]:.3f} of cases on average and
{gap["regular_least"]:.3f} at least; elsewhere {gap["least"]:.3f} at least; against a constant
{gap["constant_mean"]:.3f} on average, {gap["constant_least"]:.3f} at least. All that stay below .93:

{"".join(lists)}"""


def _cells(title: str, rows: Sequence[Sequence[float]]) -> str:
    texts = []
    for row in rows:
        sides = [f"{100 * row[at + 1]:g} % of {int(row[at]):,}" for at in range(0, len(row) - 1, 2)]
        texts.append([" − ".join(sides), f"{row[-1]:.3f}"])
    return f"{title}:\n\n{table(['rates', 'coverage'], texts)}\n" if texts else f"{title}: none.\n\n"
