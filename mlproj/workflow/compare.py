"""`mlproj compare`: two models on the same examples, contract first, with what the data can and cannot tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from mlproj.errors import InputError, InvalidInput, Problem
from mlproj.records import Predictions, Promise, Run
from mlproj.workflow.contract import hold, named
from mlproj.workflow.labels import note_pair
from mlproj.workflow.seeds import SeedNoise, is_same_spec, seed_noise
from mlproj.workflow.subject import Subject, Subjects, as_run, limits_of, metric_of, nearby

if TYPE_CHECKING:
    from mlproj.metrics import Paired
    from mlproj.records.matching import Matched
    from mlproj.spec.project import Project
    from mlproj.track import AbstractTracker
    from mlproj.workflow.search import Searched
    from mlproj.workflow.train import Trained
    from mlproj.workflow.trained_seeds import TrainedSeeds

Side = Literal["a", "b"]
SPLITS = ("dev", "train", "train_dev")
"""Splits that two models may be compared on; test is sealed."""


@dataclass(frozen=True)
class Row:
    """One metric of both models, and how far apart they are.

    Attributes:
        metric: Its name.
        a: Value of the first.
        b: Value of the second.
        difference: b minus a, with limits.
    """

    metric: str
    a: float
    b: float
    difference: "Paired"


@dataclass(frozen=True)
class Compared:
    """Two models held against each other.

    Attributes:
        a: The first.
        b: The second.
        head: First line: both, the split and the examples.
        split: Where they were compared.
        n: Examples that both answered and whose label is known.
        rows: The metric that decides, then what else is of interest.
        p_b_better: Probability that b is the better one in the deciding metric; None where that is undefined.
        only_right: Examples that only a and only b got right; None for numbers.
        contract: What each promises on dev.
        better: a or b where one can be preferred, else None.
        verdict: One sentence.
        resolve: The split to grow and by how many examples, where they cannot be told apart.
        seeds: What other seeds say; None where the store knows none.
        notes: What else a reader should know.
        next: The next command.
    """

    a: Subject
    b: Subject
    head: str
    split: str
    n: int
    rows: tuple[Row, ...]
    p_b_better: float | None
    only_right: tuple[int, int] | None
    contract: Mapping[Side, tuple[Promise, ...]]
    better: Side | None
    verdict: str
    resolve: Mapping[str, Any] | None
    seeds: SeedNoise | None
    notes: tuple[str, ...]
    next: str

    @property
    def is_one_spec(self) -> bool:
        """Whether both are trainings of one spec, which differ by their seeds alone."""
        return self.a.run is not None and self.b.run is not None and is_same_spec(self.a.run, self.b.run)

    @property
    def metric(self) -> str:
        """The metric that decides."""
        return self.rows[0].metric

    def document(self) -> dict[str, Any]:
        """The JSON document of `mlproj compare`."""
        from mlproj.workflow.runs import finite
        from mlproj.workflow.train import promise_document

        first = self.rows[0]
        only_a, only_b = self.only_right or (None, None)
        return {
            "a": named(self.a), "b": named(self.b), "split": self.split, "n": self.n, "metric": first.metric,
            **finite({"a_value": first.a, "b_value": first.b}),
            "difference": _limits_document(first.difference), "p_b_better": self.p_b_better,
            "only_a_right": only_a, "only_b_right": only_b,
            "contract": {side: [promise_document(p) for p in kept] for side, kept in self.contract.items()},
            "better": self.better, "verdict": self.verdict,
            "resolve": None if self.resolve is None else dict(self.resolve),
            "metrics": [
                {"metric": r.metric, **finite({"a": r.a, "b": r.b}), "difference": _limits_document(r.difference)}
                for r in self.rows
            ],
            "seeds": None if self.seeds is None else self.seeds.document(),
            "notes": list(self.notes), "next": self.next,
        }  # fmt: skip


def _limits_document(found: "Paired") -> dict[str, float | None]:
    from mlproj.workflow.runs import finite

    return finite({"value": found.value, "low": found.low, "high": found.high})


def compare(
    a: "Trained | TrainedSeeds | Searched | Run | str | Path",
    b: "Trained | TrainedSeeds | Searched | Run | str | Path",
    *,
    project: "Project | str | Path | None" = None,
    metric: str | None = None,
    split: str = "dev",
) -> Compared:
    """Compare two models on the same examples: which is better, how sure that is, and what would tell.

    Args:
        a: Run id, unique prefix, name, `latest`, `best`, a predictions file, a `Run`, or what `train` or `search`
            returned.
        b: Likewise.
        project: Project, project.yaml or folder; by default that of the runs, or the current folder's.
        metric: Metric to compare by; by default the one that is optimised.
        split: dev, train or train_dev.

    Raises:
        InvalidInput: When the two cannot be held against each other.
        RunNotFound: When no run answers to a name.
    """
    from mlproj.advise.commands import join
    from mlproj.workflow.verdict import judge

    _check_options(split, metric)
    one, project = as_run(a, project)
    other, project = as_run(b, project)
    with Subjects() as subjects:
        first, second = subjects.find(one, project, metric=metric), subjects.find(other, project, metric=metric)
        _refuse_same(first, second)
        home = nearby(project)
        chosen = metric or metric_of(first, home)
        pair = _pair(first, second, split)
        limits = limits_of(first, home), limits_of(second, home)
        rows = _rows(chosen, pair, limits)
        noise = _noise(subjects.tracker, first, second, split, rows[0])
        note = subjects.note
    contract = _contract((first, second), limits, pair, split)
    judged = judge(
        rows[0].metric, (rows[0].a, rows[0].b), rows[0].difference, pair, contract, titles(first, second), split
    )
    notes = (*notes_on_pair(first, second), *_left_out(pair, split), *pair.notes, *_contract_notes(limits))
    ahead = second if judged.ahead == "b" else first
    head = f"{first.spoken} and {second.spoken} · {split.replace('_', '-')} {rows[0].difference.n:,}{note}"
    return Compared(
        first, second, head, split, rows[0].difference.n, rows, judged.p_b_better, judged.only_right, contract,
        judged.better, judged.text, judged.resolve, noise, notes,
        join(first.project or second.project, "diagnose", "bias-variance", ahead.selector),
    )  # fmt: skip


def notes_on_pair(a: Subject, b: Subject) -> list[str]:
    """What a reader should know of two models before their figures are held against each other.

    The runs carry hashes of what they were trained on and judged by: labels that were corrected, or rows that were
    added, for one of them only show there.
    """
    if a.run is None or b.run is None:
        return []
    tags = a.run.tags, b.run.tags
    newer = "a" if a.run.started > b.run.started else "b"
    notes = []
    if corrected := note_pair(a.run, b.run):
        notes.append(corrected)
    elif len({side.get("mlproj.dev_hash", "") for side in tags}) > 1:
        notes.append(
            f"The dev set changed between the two (labels or examples): both are held to the labels of {newer}, the "
            "newer, while each was tuned on its own."
        )
    elif len({side.get("mlproj.data_hash", "") for side in tags}) > 1:
        notes.append(
            "They were trained on different data or columns, so the difference is not that of the models alone."
        )
    if is_same_spec(a.run, b.run):
        notes.append("Both are the same spec with other seeds: what differs between them is chance.")
    return notes


def titles(a: Subject, b: Subject) -> tuple[str, str]:
    """What a verdict calls the two: their names, with short ids where these are the same."""
    names = a.selector, b.selector
    if names[0] != names[1]:
        return names
    ids = [subject.run.id[:8] if subject.run else "file" for subject in (a, b)]
    return f"{names[0]} {ids[0]}", f"{names[1]} {ids[1]}"


def _check_options(split: str, metric: str | None) -> None:
    from difflib import get_close_matches

    from mlproj.spec.goal import Metric, Resource

    problems = []
    if split == "test":
        hint = 'Compare on dev, then look once with the better one: mlproj evaluate RUN --split test --reason "…"'
        problems.append(Problem("--split", "test is sealed: comparing on it would be choosing by it", hint))
    elif split not in SPLITS:
        near = get_close_matches(split.replace("-", "_"), SPLITS, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else f"Use {', '.join(SPLITS[:-1])} or {SPLITS[-1]}."
        problems.append(Problem("--split", f"{split!r} is no split to compare on", hint))
    known: tuple[str, ...] = get_args(Metric)
    if metric is not None and metric not in known:
        if metric in get_args(Resource):
            hint = "Limits on it are part of the contract, which is shown anyway."
            problems.append(
                Problem("--metric", f"{metric} is measured when a model is trained; answers do not tell it", hint)
            )
        else:
            near = get_close_matches(metric, known, n=1)
            hint = f"Did you mean `{near[0]}`?" if near else f"Metrics are {', '.join(known)}."
            problems.append(Problem("--metric", f"{metric!r} is no metric", hint))
    if problems:
        raise InvalidInput(problems)


def _refuse_same(a: Subject, b: Subject) -> None:
    same_run = a.run is not None and b.run is not None and a.run.id == b.run.id
    same_file = a.run is None and b.run is None and Path(a.selector).resolve() == Path(b.selector).resolve()
    if same_run or same_file:
        raise InputError(f"Both mean {a.spoken}: there is nothing to compare. Name another run: mlproj runs")


def _pair(a: Subject, b: Subject, split: str) -> "Matched":
    from mlproj.records.matching import match

    parts, problems = [], []
    for subject in (a, b):
        assert subject.predictions is not None
        part = subject.predictions.part(split)
        if not len(part):
            held = ", ".join(subject.predictions.splits) or "no row"
            hint = "Name another with --split." if held != "no row" else ""
            problems.append(Problem("--split", f"{subject.selector} holds no {split} predictions, only {held}", hint))
        parts.append(part)
    if problems:
        raise InvalidInput(problems)
    judge: Literal["first", "second"] | None = None
    if a.run is not None and b.run is not None:  # labels are those of the store, which may have been corrected since
        judge = "first" if a.run.started > b.run.started else "second"
    return match(parts[0], parts[1], names=titles(a, b), judge=judge)


def _rows(metric: str, pair: "Matched", limits: Sequence[Mapping[str, str]]) -> tuple[Row, ...]:
    """The deciding metric, the plain error and the limited metrics, each with its difference b − a."""
    from mlproj.metrics import measure, metric_problem, paired_difference
    from mlproj.metrics.paired import reconcile

    plain = "error" if next(iter(pair.first.labels.values())).is_classification else "rmse"
    each = [(answers.classes, answers.p) for side in (pair.first, pair.second) for answers in side.labels.values()]
    problem = next((p for classes, p_ in each if (p := metric_problem(metric, classes, has_p=p_ is not None))), None)
    if problem is not None:
        raise InvalidInput([Problem("--metric", problem.message, problem.hint)])
    others = dict.fromkeys([plain, *limits[0], *limits[1]])
    suited = [m for m in others if not any(metric_problem(m, c, has_p=p is not None) for c, p in each)]
    rows = []
    for name in dict.fromkeys([metric, *suited]):
        found = paired_difference(
            pair.second.labels, pair.first.labels, name, weight=pair.first.weight, group=pair.first.group
        )
        values = [measure([name], side.labels, pair.first.weight)[name] for side in (pair.first, pair.second)]
        rows.append(Row(name, values[0], values[1], reconcile(found)))
    return tuple(rows)


def _contract(
    subjects: tuple[Subject, Subject], limits: Sequence[Mapping[str, str]], pair: "Matched", split: str
) -> dict[Side, tuple[Promise, ...]]:
    """What each promises on dev: on the common examples where these are of dev."""
    kept: dict[Side, tuple[Promise, ...]] = {}
    sides: tuple[tuple[Side, Predictions], ...] = (("a", pair.first), ("b", pair.second))
    for (side, matched), subject, limit in zip(sides, subjects, limits, strict=True):
        assert subject.predictions is not None
        dev = matched if split == "dev" else subject.predictions.part("dev")
        has_truth = any(answers.known.any() for answers in dev.labels.values())
        kept[side] = hold(limit, dev, subject.run, where="metric.satisfy") if len(dev) and has_truth else ()
    return kept


def _contract_notes(limits: Sequence[Mapping[str, str]]) -> list[str]:
    return ["They are held to different limits, each to its own."] if limits[0] != limits[1] else []


def _left_out(pair: "Matched", split: str) -> list[str]:
    notes = []
    if any(pair.left_out):
        counts = " and ".join(
            f"{n:,} that only {side} answered" for n, side in zip(pair.left_out, "ab", strict=True) if n
        )
        notes.append(f"Compared on the {len(pair):,} {split.replace('_', '-')} examples of both; left aside: {counts}.")
    if pair.relabelled:
        n = pair.relabelled
        notes.append(f"{n:,} label{'s' * (n != 1)} differed between the two; both are held to those of the newer.")
    return notes


def _noise(tracker: "AbstractTracker | None", a: Subject, b: Subject, split: str, row: Row) -> SeedNoise | None:
    if tracker is None or not isfinite(row.difference.value):
        return None
    runs = tracker.runs(kinds=("train", "trial"), statuses=("FINISHED",))
    return seed_noise(runs, a.run, b.run, f"{split}/{row.metric}", row.difference)
