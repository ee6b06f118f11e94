"""Split hygiene: what makes a figure on dev say less than it seems to. N examples.

Each judge looks at one thing and returns findings: plain text for a person, a code for a test. Of test rows only hashes
and counts are looked at, never features or labels. Arguments that judges share: `contents` (N,), the content hash of
each row; `split` (N,), its split, "" where it is in none; `classes` (N,), its label as text, "" where it is missing;
`source` (N,), its part of the data as a position in `paths` and `roles`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mlproj.data.columns import Column
from mlproj.data.late import pd
from mlproj.data.leaks import Suspect
from mlproj.data.sizes import half_width
from mlproj.data.words import some_of
from mlproj.records.predictions import SPLITS, Texts
from mlproj.spec.project import Project

_WIDE = 0.05  # half-width from which dev is called small
_RARE = 0.05  # share of a class below which the plain error says little
_FEW_GROUPS = 10
_ID_ENDINGS = ("id", "key", "uuid", "file", "path", "name", "nr", "number")


@dataclass(frozen=True)
class Finding:
    """Something that a person should know about the data.

    Attributes:
        code: Its kind.
        text: What was found, what it means, what to do.
        is_warning: Whether something may be wrong; else it is good to know.
    """

    code: str
    text: str
    is_warning: bool = True


def find_duplicates(contents: Texts, split: Texts, *, by_id: bool) -> list[Finding]:
    """Rows of a later split that equal a row of an earlier one in every feature.

    Args:
        contents: Content hashes.
        split: Splits.
        by_id: Whether `data.id` names the rows, so that equal rows may be dealt apart.

    Example:
        >>> contents, split = np.array(["a", "b", "a"]), np.array(["train", "train", "dev"])
        >>> find_duplicates(contents, split, by_id=True)[0].text
        '1 of 1 dev rows (100 %) equal a row of train in every feature: there, dev measures memory...'
    """
    codes = pd.factorize(contents.astype(object))[0]
    inside: dict[str, NDArray[np.int64]] = {name: codes[split == name] for name in SPLITS}
    cure = "without `data.id` equal rows stay together" if by_id else "a common `data.group` keeps them together"
    findings = []
    for earlier, later in combinations(SPLITS, 2):
        rows = inside[later]
        n = int(pd.Series(rows).isin(inside[earlier]).sum())
        if n:
            share = f"{n:,} of {len(rows):,} {later} rows ({_percent(n / len(rows))})"
            text = f"{share} equal a row of {earlier} in every feature: there, {later} measures memory ({cure})."
            findings.append(Finding("duplicates", text))
    return findings


def find_conflicts(contents: Texts, classes: Texts) -> list[Finding]:
    """Equal rows with different labels, which no model can get right; `classes` without missing ones.

    Example:
        >>> find_conflicts(np.array(["a", "a", "b"]), np.array(["yes", "no", "no"]))[0].code
        'conflicting_labels'
    """
    counts = pd.DataFrame({"content": contents, "class": classes}).value_counts().rename("n").reset_index()
    by_content = counts.groupby("content")["n"].agg(["sum", "max", "size"])
    torn = by_content[by_content["size"] > 1]
    if torn.empty:
        return []
    n, floor = int(torn["sum"].sum()), int((torn["sum"] - torn["max"]).sum())
    text = f"{n:,} of {len(classes):,} rows equal another row in every feature but have another label"
    return [
        Finding("conflicting_labels", f"{text}: whatever the model answers, at least {floor:,} of them stay wrong.")
    ]


def describe_suspects(suspects: Sequence[Suspect]) -> list[Finding]:
    """Features that nearly determine the label, in words."""
    findings = []
    for found in suspects:
        by_itself = {
            "error": f"an error of {_percent(found.value)} where the constant answer has {_percent(found.constant)}",
            "auc": f"an area under the ROC curve of {found.value:.4f}",
            "r2": f"an R² of {found.value:.4f}",
        }[found.measure]
        what = f"The word {found.word!r} in column {found.column!r}" if found.word else f"Column {found.column!r}"
        text = f"{what} alone nearly determines {found.label!r} on train ({by_itself})"
        cure = f"If it is not known when the answer is needed, list it: `exclude: [{found.column}]`."
        findings.append(Finding("leak_suspect", f"{text}: does it hold the answer? {cure}"))
    return findings


def find_pooling(
    project: Project, split: Texts, source: NDArray[np.int64], paths: Sequence[str], roles: Sequence[str]
) -> list[Finding]:
    """Dev and test that mix several parts of `data.source`, or come from different ones."""
    mixed = [part for part, role in enumerate(roles) if role == "target"]
    shares = {name: np.bincount(source[split == name], minlength=len(paths)) for name in ("dev", "test")}
    findings = []
    name = "dev" if shares["dev"].any() else "test"
    held = shares[name]
    if len(mixed) > 1 and (held[mixed] > 0).sum() > 1:
        order = sorted(mixed, key=lambda part: -held[part])
        listed = some_of(f"{_percent(held[part] / held.sum())} {paths[part]} ({held[part]:,})" for part in order)
        one = "dev and test should come from the one distribution that the product meets"
        move = f"move the others (for example {paths[order[0]]}) to `data.extra`"
        text = f"{name} mixes the parts of `data.source`: {listed}. If they differ, {one}: {move}."
        findings.append(Finding("pooled_distributions", text))
    files = [name for name in ("dev", "test") if name in roles]
    if len(files) == 1 and all(counts.any() for counts in shares.values()):
        name, other = files[0], "test" if files == ["dev"] else "dev"
        text = f"{name} comes from {getattr(project.splits, name)}, {other} from `data.source`"
        cure = "a figure on dev foretells test only if both come from one distribution."
        findings.append(Finding("dev_test_differ", f"{text}: {cure}"))
    return findings


def describe_sources(classes: Texts, source: NDArray[np.int64], paths: Sequence[str], label: str) -> list[Finding]:
    """Shares of the classes of a label in each part of the data, and classes that one of them lacks."""
    known = classes != ""
    names, codes = np.unique(classes[known], return_inverse=True)
    counts = {
        path: np.bincount(codes[source[known] == part], minlength=len(names))
        for part, path in enumerate(paths)
        if (source[known] == part).any()
    }
    findings, lines = [], []
    for path, held in counts.items():
        order = [k for k in np.argsort(-held, kind="stable") if held[k]]
        lines.append(f"{path}: {some_of(f'{names[k]} {_percent(held[k] / held.sum())}' for k in order)}")
        absent = [repr(str(name)) for name in names[held == 0]]
        if absent and len(counts) > 1:
            text = f"{path} holds no {label} {some_of(absent)}, which other parts of the data have"
            findings.append(
                Finding("class_missing_in_source", f"{text}: a model can tell classes apart by the source.")
            )
    note = f"{label} by source: {'; '.join(lines)}."
    return [Finding("classes_by_source", note, is_warning=False)] * (len(counts) > 0) + findings


def find_class_gaps(classes: Texts, split: Texts, label: str, metric: str) -> list[Finding]:
    """Classes of a label that a split lacks, and classes so rare that the metric, if it is the plain error, hides them.

    Example:
        >>> classes, split = np.array(["yes", "no", "no"]), np.array(["train", "train", "dev"])
        >>> print(find_class_gaps(classes, split, "cat", "f1")[0].text)
        dev holds no cat 'yes' (1 in all): more data of them, or a larger split, would help.
    """
    findings = []
    names, counts = np.unique(classes[classes != ""], return_counts=True)
    for name in ("train", "dev"):
        held = set(classes[split == name].tolist())
        absent = [f"{k!r} ({n:,} in all)" for k, n in zip(names.tolist(), counts, strict=True) if k not in held]
        if absent and held:
            cure = "more data of them, or a larger split, would help"
            findings.append(Finding("class_missing", f"{name} holds no {label} {some_of(absent)}: {cure}."))
    if len(names) > 1 and metric in ("error", "accuracy"):
        rare = int(counts.argmin())
        share = counts[rare] / counts.sum()
        if share < _RARE and share * len(names) < 0.5:
            usual = f"always answering {str(names[counts.argmax()])!r} is right"
            text = f"Only {_percent(share)} are {str(names[rare])!r}: {usual}"
            cure = "consider another `metric.optimize`, such as f1, f1_macro or balanced_accuracy"
            findings.append(Finding("imbalance", f"{text} in {_percent(counts.max() / counts.sum())}; {cure}."))
    return findings


def find_small_dev(
    sizes: Mapping[str, int], p: float | None, groups: Mapping[str, int] | None = None, group: str = ""
) -> list[Finding]:
    """A dev set too small to tell candidates apart, with the interval that it buys.

    Args:
        sizes: Examples per split.
        p: Error at which the interval is stated; None for regression.
        groups: Number of groups per split, with `data.group`.
        group: Name of that column.

    Example:
        >>> print(find_small_dev({"train": 90, "dev": 30}, 0.1)[0].text)
        dev has 30 examples: an error of 10 % is known to ± 10.7 points; smaller differences between models are noise.
    """
    findings = []
    n = sizes.get("dev", 0)
    if p is not None and n and half_width(n, p) > _WIDE:
        known = f"an error of {_percent(p)} is known to ± {100 * half_width(n, p):.1f} points"
        text = f"dev has {n:,} examples: {known}; smaller differences between models are noise."
        findings.append(Finding("small_dev", text))
    if not n:
        text = "There is no dev set: nothing can be compared, stopped early or diagnosed."
        findings.append(Finding("no_dev", text))
    for name, count in (groups or {}).items():
        if name != "train" and 0 < count < _FEW_GROUPS:
            text = f"{name} holds {sizes[name]:,} examples of only {count} {group}"
            findings.append(Finding("few_groups", f"{text}: its intervals count groups, not examples."))
    return findings


def recommend_id(project: Project, columns: Sequence[Column], n: int) -> list[Finding]:
    """The advice to name an id where there is none, with a column that would do; `n` rows were counted."""
    if project.data.id is not None:
        return []
    usable = (c for c in columns if c.role in ("feature", "excluded") and c.type != "text")
    fit = [c.name for c in usable if c.unique == n and not c.missing]
    fit = [name for name in fit if name.lower().endswith(_ID_ENDINGS)]
    text = "Examples are known by a hash of their features; a corrected cell makes a new example. Name an id column"
    hint = f": `data: {{id: {fit[0]}}}`." if fit else " (`data.id`) if the data have one."
    return [Finding("no_id", text + hint, is_warning=False)]


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
