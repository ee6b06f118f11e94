"""No split knows the answers of another: copies, near copies, groups and times that lie on both sides. N examples."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlproj.data import Part
from mlproj.data.cells import is_missing, read_texts
from mlproj.data.columns import Column, read_values
from mlproj.data.ids import content_hashes
from mlproj.doctor.patient import Patient
from mlproj.doctor.registry import Seen, check

_ROWS_OF_TRAIN, _ROWS_OF_DEV = 20_000, 2_000
_NEIGHBOURS, _EXPECTED, _NEAR = 10, 1e-3, 0.25
"""Of unrelated rows one in a thousand lies so close; never farther than a quarter of the way to the tenth neighbour."""
_TOLERATED, _SURE, _FEWEST = 1e-2, 1e-3, 3
"""Ten times as many are tolerated, as heavy tails bring up to seven times, and a binomial test has to be sure."""
_GROUP = re.compile(r"(^|[_ .-])(id|ids|uuid|guid|key|user|patient|subject|customer|client|account|session|device|"
                    r"speaker|author|group|household|site|batch)s?($|[_ .-])", re.IGNORECASE)  # fmt: skip
_AHEAD = 0.05
_MANY = 0.05
"""Share of dev rows with a copy in train from which its figures cannot be believed."""


@dataclass(frozen=True)
class _Leak:
    """Something on both sides of a split."""

    verdict: str
    text: str
    advice: str


@check(9, "split-hygiene", "no split knows another's answers", needs="data")
def split_hygiene(patient: Patient) -> Seen:
    """Looks for copies by content hash, near copies by distance, groups on both sides, and labels told by the date."""
    numbers: dict[str, object] = {}
    near = list(_near_copies(patient, numbers))
    leaks = [
        *_told_by_check(patient, numbers),
        *near,
        *_groups(patient, numbers),
        *_times(patient, numbers),
    ]
    n = sum(len(part) for part in patient.dataset.parts.values())
    how = "content hashes (test too), nearest neighbours of dev in train, groups and dates across splits"
    numbers["leaks"] = [leak.text for leak in leaks]
    if leaks:
        verdict = "fail" if any(leak.verdict == "fail" for leak in leaks) else "warn"
        advice = " ".join(dict.fromkeys(leak.advice for leak in leaks if leak.advice))
        text = "; ".join(leak.text for leak in leaks)
        return Seen(verdict, text, n, how, advice, numbers)  # type: ignore[arg-type]  # one of the two above
    few = f" ({numbers['near_copies']} near, as chance has it)" if numbers.get("near_copies") else ""
    text = f"no copies{few}, shared groups or telling dates among {n:,} examples"
    return Seen("ok", text, n, how, numbers=numbers)


def _told_by_check(patient: Patient, numbers: dict[str, object]) -> Iterator[_Leak]:
    """What `mlproj check` knows already: copies by content hash, test among them, and features that tell the label."""
    for found in patient.findings:
        text = found.text.rstrip(".")
        if found.code == "duplicates":
            share = numbers.get("copies_share", 0.0)
            many = isinstance(share, float) and share >= _MANY
            yield _Leak("fail" if many else "warn", text.partition(": there")[0], f"{_cure(text)}.")
        elif found.code == "leak_suspect":
            yield _Leak("warn", text.partition(": does it")[0], found.text.rpartition("answer? ")[2])


def _cure(text: str) -> str:
    inside = text.rpartition("(")[2].rstrip(").")
    return inside[:1].upper() + inside[1:]


def _near_copies(patient: Patient, numbers: dict[str, object]) -> Iterator[_Leak]:
    """Dev rows that lie so much closer to a train row than to its neighbours that they are hardly another example."""
    from scipy.stats import binom

    parts = patient.dataset.parts
    if "dev" not in parts or len(parts["train"]) <= _NEIGHBOURS:
        return
    rng = np.random.default_rng(patient.project.seed)
    train, dev = _sample(parts["train"], _ROWS_OF_TRAIN, rng), _sample(parts["dev"], _ROWS_OF_DEV, rng)
    copies = np.isin(_contents(patient, dev), _contents(patient, train))
    numbers["copies_share"] = float(copies.mean())
    distance = _distances(train.x, dev.x)
    near = near_copies(distance[~copies])
    n, count = int((~copies).sum()), int(near.sum())
    numbers |= {"near_copies": count, "near_copies_of": n}
    if count >= _FEWEST and binom.sf(count - 1, n, _TOLERATED) < _SURE:
        text = f"{count:,} of {n:,} dev rows are all but copies of a train row ({100 * count / n:.2g} %)"
        yield _Leak("warn", text, "Give what belongs together one `data.group`, so that it shares a split.")


def near_copies(distance: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows lie far closer to their first neighbour than their tenth neighbour lets expect.

    For unrelated rows of d dimensions the distances to the first and k-th neighbour have P(r₁/r_k < u) ≈ (k−1)·uᵈ for
    small u; d is estimated from the rows themselves by the ratio of the second to the first neighbour (Facco et al.
    2017, TwoNN). The bound u is where one row in a thousand is expected.

    Args:
        distance: Distances (N, k) to the nearest train rows, in rising order.
    """
    first, second, last = distance[:, 0], distance[:, 1], distance[:, -1]
    usable = last > 0
    apart = usable & (first > 0) & (second > first)
    if apart.sum() < 20:
        return np.zeros(len(distance), bool)
    # the median keeps planted copies from passing for a low dimension
    d = np.log(2) / max(float(np.median(np.log(second[apart] / first[apart]))), 1e-9)
    bound = min(_NEAR, (_EXPECTED / (distance.shape[1] - 1)) ** (1 / d))
    return np.asarray(usable & (first < bound * last))


def _distances(train: NDArray[np.float32], dev: NDArray[np.float32]) -> NDArray[np.float64]:
    """Distances (N, k) of dev rows to their nearest train rows."""
    from sklearn.neighbors import NearestNeighbors

    return np.asarray(NearestNeighbors(n_neighbors=_NEIGHBOURS).fit(train).kneighbors(dev)[0], np.float64)


def _sample(part: Part, most: int, rng: np.random.Generator) -> Part:
    from mlproj.training.looks import take_rows

    return part if len(part) <= most else take_rows(part, np.sort(rng.choice(len(part), most, replace=False)))


def _contents(patient: Patient, part: Part) -> NDArray[np.str_]:
    return content_hashes(part.frame, sorted(column.name for column in patient.dataset.columns if column.is_input))


def _groups(patient: Patient, numbers: dict[str, object]) -> Iterator[_Leak]:
    """Groups in two splits: declared ones by the deal, and columns that read like one and were not declared."""
    deal, project = patient.dataset.deal, patient.project
    if project.data.group is not None:
        inside = {name: set(deal.units[deal.split == name].tolist()) for name in deal.sizes}
        names = [name for name in inside if inside[name]]
        shared = {one: inside[one] & inside[other] for one in names for other in names if one < other}
        n = sum(len(units) for units in shared.values())
        numbers["groups_on_both_sides"] = n
        if n:
            yield _Leak("fail", f"{n:,} {project.data.group} lie in two splits", "Deal anew: mlproj split --redraw.")
        return
    for column in patient.dataset.columns:
        if _reads_like_a_group(column):
            yield from _shared(patient, column)


def _reads_like_a_group(column: Column) -> bool:
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column.name)
    return column.role in ("feature", "excluded") and bool(_GROUP.search(parts))


def _shared(patient: Patient, column: Column) -> Iterator[_Leak]:
    parts = patient.dataset.parts
    if "dev" not in parts or any(column.name not in part.frame for part in parts.values()):
        return
    train, dev = (read_texts(parts[name].frame[column.name]).to_pylist() for name in ("train", "dev"))
    both = {*train} & {*dev} - {None, ""}
    distinct = len({*train, *dev} - {None, ""})
    repeats = len(train) + len(dev) >= 2 * distinct
    n = sum(value in both for value in dev)
    if repeats and distinct >= 20 and n >= 0.2 * len(dev):
        share = f"{n:,} of {len(dev):,} dev rows have a {column.name} that train has too"
        yield _Leak("warn", share, f"If rows of one {column.name} are alike, declare `data: {{group: {column.name}}}`.")


def _times(patient: Patient, numbers: dict[str, object]) -> Iterator[_Leak]:
    """A column of dates that was not declared, where the label of the train row next in time tells that of dev."""
    parts = patient.dataset.parts
    if patient.project.data.time is not None or "dev" not in parts:
        return
    for column in patient.dataset.columns:
        if column.type == "date" and column.role in ("feature", "excluded"):
            yield from _told_by_date(patient, column, numbers)


def _told_by_date(patient: Patient, column: Column, numbers: dict[str, object]) -> Iterator[_Leak]:
    from scipy.stats import norm

    train, dev = patient.dataset.parts["train"], patient.dataset.parts["dev"]
    if is_missing(train.frame[column.name]).all():
        return
    days, wanted = (np.asarray(read_values(part.frame[column.name], column)[0], np.float64) for part in (train, dev))
    y, truth = train.y[:, 0].astype(np.float64), dev.y[:, 0].astype(np.float64)
    known, asked = np.isfinite(days) & np.isfinite(y), np.isfinite(wanted) & np.isfinite(truth)
    days, y, wanted, truth = days[known], y[known], wanted[asked], truth[asked]
    if len(y) < 50 or len(truth) < 20:
        return
    order = np.argsort(days, kind="stable")
    days, y = days[order], y[order]
    right = np.clip(np.searchsorted(days, wanted), 1, len(days) - 1)
    nearest = y[np.where(wanted - days[right - 1] < days[right] - wanted, right - 1, right)]
    if patient.is_regression:
        value, chance, error = float(np.corrcoef(nearest, truth)[0, 1]), 0.0, 1 / np.sqrt(len(truth))
    else:
        shares = {k: float((y == k).mean()) for k in np.unique(y)}
        expected = np.array([shares.get(k, 0.0) for k in truth.tolist()])
        value, chance = float((nearest == truth).mean()), float(expected.mean())
        error = max(float(np.sqrt((expected * (1 - expected)).mean() / len(truth))), 1e-9)
    numbers[f"told_by_{column.name}"] = {"agreement": value, "chance": chance, "n": len(truth)}
    if value - chance > _AHEAD and value - chance > norm.isf(_SURE) * error:
        shown = f"{value:.2f}" if patient.is_regression else f"{100 * value:.0f} % (by chance {100 * chance:.0f} %)"
        text = f"the train row next in {column.name} tells the label of a dev row: {shown}"
        cure = f"If the model is for later days, declare `data: {{time: {column.name}}}`: dev is then later than train."
        yield _Leak("warn", text, cure)
