"""`mlproj check`: everything that can be said about a project's data before anything is trained."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mlproj.data import hygiene
from mlproj.data.cells import read_texts
from mlproj.data.columns import Column
from mlproj.data.hygiene import Finding
from mlproj.data.ids import content_hashes
from mlproj.data.leaks import find_suspects
from mlproj.data.people import find_annotators
from mlproj.data.prepare import Case, prepare
from mlproj.data.proofs import find_proofs
from mlproj.data.sizes import half_width
from mlproj.data.target import Target
from mlproj.errors import InvalidInput, Problem
from mlproj.metrics.constant import best_constant
from mlproj.metrics.evidence import RESOURCES, metric_problem
from mlproj.records import Answers
from mlproj.records.predictions import Texts
from mlproj.spec.goal import POSITIVE_CLASS_METRICS
from mlproj.spec.project import Project

USUAL_ERROR = 0.1
"""Error at which intervals are stated when neither people nor the constant answer have a smaller one."""


@dataclass(frozen=True)
class CheckReport:
    """What `check` found.

    Attributes:
        columns: What each column is taken for.
        splits: For each split its `n`, `from` (examples by path) and, for classification, the `half_width` of the 95 %
            interval of an error rate `at` that is measured on it.
        warnings: What may be wrong.
        notes: What is good to know.
        problems: What has to be mended before anything starts.
        findings: Warnings and notes of this module's judges, with their codes.
    """

    columns: tuple[Column, ...] = ()
    splits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether training could start."""
        return not self.problems


def examine(project: Project, store: Path | None = None) -> CheckReport:
    """Reads and judges a project's data; nothing is written, and of test only counts and hashes are used.

    Args:
        project: What to examine.
        store: Folder of the stored deals; None has none.

    Returns:
        The report; problems are collected in it, not raised.
    """
    prepared = prepare(project, store=store)
    problems, remarks, columns = list(prepared.problems), prepared.remarks, prepared.columns
    if prepared.case is None:
        return CheckReport(columns, {}, tuple(remarks.warnings), tuple(remarks.notes), prepared.problems)
    judges = _Judges(prepared.case)
    findings: list[Finding] = []
    p = None
    if not problems:
        problems += judges.metric_problems()
    if not problems:
        constant, p = judges.judge_constant()
        findings += [*constant, *judges.judge_promises(), *judges.judge_leaks()]
    findings += judges.judge_deal(p)
    return CheckReport(
        columns,
        judges.describe_splits(p),
        (*remarks.warnings, *(found.text for found in findings if found.is_warning)),
        (*remarks.notes, *(found.text for found in findings if not found.is_warning)),
        tuple(problems),
        tuple(findings),
    )


@dataclass(frozen=True)
class _Judges:
    """The questions that a project's data are asked. N examples."""

    case: Case

    @cached_property
    def target(self) -> Target:
        case = self.case
        train = case.split == "train"
        return Target.fit(case.project, case.frame, labels=case.table.labels, task=case.labels.task, train=train)

    @cached_property
    def metric(self) -> str:
        """The metric that is optimised."""
        return self.case.project.metric.optimize or ("rmse" if self.case.labels.task == "regression" else "error")

    def truth(self, name: str) -> Mapping[str, Answers]:
        """The truth of one split, by label; what a model would answer is left blank."""
        part = self.case.table.select(self.case.deal.split == name)
        y = self.target.encode(part.frame)
        return self.target.decode(np.zeros((len(part), self.target.n_outputs)), y)

    def describe_splits(self, p: float | None) -> dict[str, dict[str, Any]]:
        rows: dict[str, dict[str, Any]] = {}
        for name, n in self.case.deal.sizes.items():
            rows[name] = {"n": n, "from": dict(self.case.deal.sources.get(name, {}))}
            if self.case.corrected is not None:
                rows[name]["corrected"] = self.case.corrected.changed[name]
            if p is not None:
                rows[name] |= {"half_width": half_width(n, p), "at": p}
        return rows

    def metric_problems(self) -> Iterator[Problem]:
        """Metrics that the label does not allow, or that need to know the positive class."""
        target = self.target
        named = {"metric.optimize": self.metric}
        named |= {f"metric.satisfy.{name}": name for name in self.case.project.metric.satisfy if name not in RESOURCES}
        for key, name in named.items():
            found = metric_problem(name, target.classes[0] if target.classes else ())
            if found is not None:
                yield self.case.project.problem(key, found.message, found.hint)
        one_class = [name for name in named.values() if name in POSITIVE_CLASS_METRICS]
        if target.kind == "binary" and one_class and not target.positive_named:
            first, second = target.classes[0]
            message = f"{one_class[0]} speaks of the positive class, but the classes are {first!r} and {second!r}"
            hint = f"Say which one is meant, for example `positive: {second}`."
            yield self.case.project.problem("data.positive", message, hint)

    def judge_constant(self) -> tuple[list[Finding], float | None]:
        """The constant answer's value on dev, and the error at which intervals are stated (None for regression)."""
        regression = self.case.labels.task == "regression"
        on = "dev" if "dev" in self.case.deal.sizes else "train"
        train, measured_on = self.truth("train"), self.truth(on)
        try:
            constant = best_constant(self.metric, train, measured_on)
            error = None if regression else best_constant("error", train, measured_on).value
        except InvalidInput:  # a label without a single example there has no figure to state
            return [], None if regression else USUAL_ERROR
        text = f"The constant answer ({constant.answer}) has {self.metric} {constant.value:.4g} on {on}."
        finding = Finding("constant_answer", text, is_warning=False)
        if error is None:
            return [finding], None
        human = self.case.project.human.error if self.case.project.human is not None else None
        return [finding], human or min(error, USUAL_ERROR) or USUAL_ERROR

    def judge_promises(self) -> list[Finding]:
        """What must be read on dev to prove each limit."""
        case = self.case
        if "dev" not in case.deal.sizes or not case.project.metric.satisfy:
            return []
        dev = case.deal.split == "dev"
        weight = None if case.weights is None else case.weights[dev]
        group = None if case.project.data.group is None else case.deal.units[dev]
        return find_proofs(case.project.metric.satisfy, self.truth("dev"), weight, group)

    def _contents(self) -> Texts:
        """Content hash of each row (N,) over the features; the ids themselves where these are made from them."""
        inputs = tuple(sorted(column.name for column in self.case.columns if column.is_input))
        if inputs == self.case.deal.stored.id_columns and self.case.project.data.group is None:
            return self.case.deal.units
        return content_hashes(self.case.table.frame, inputs)

    def judge_leaks(self) -> list[Finding]:
        """Features of train that nearly determine a label."""
        train = self.case.table.select(self.case.deal.split == "train")
        y = self.target.encode(train.frame).astype(np.float64)
        regression = self.target.kind == "regression"
        y = y if regression else np.where(y < 0, np.nan, y)
        suspects = [
            suspect
            for i, label in enumerate(self.target.labels)
            for suspect in find_suspects(train.frame, self.case.columns, label, y[:, i], regression=regression)
        ]
        return hygiene.describe_suspects(suspects)

    def judge_people(self) -> list[Finding]:
        """Labels of several people among the features."""
        if len(self.case.table.labels) > 1:
            return []
        found = find_annotators(self.case.shown.frame, self.case.columns, self.case.table.labels[0])
        if not found:
            return []
        shown = ", ".join(map(repr, found[:4])) + (", …" if len(found) > 4 else "")
        are = "is a feature and looks" if len(found) == 1 else "are features and look"
        cure = f"`human_level: {{annotators: [{', '.join(found[:4])}]}}` takes them out and measures people by them"
        text = f"{shown} {are} like labels that people gave: they tell the model what it is to find out; {cure}."
        return [Finding("annotators_are_features", text)]

    def judge_deal(self, p: float | None) -> list[Finding]:
        """Findings about the rows that may be seen, and about the hashes of all."""
        project, table, deal = self.case.project, self.case.table, self.case.deal
        seen = deal.seen
        paths, roles = table.part_names, [origin.role for origin in table.origins]
        contents = self._contents()
        groups = {name: len(np.unique(deal.units[deal.split == name])) for name in deal.sizes}
        findings = [
            *hygiene.find_duplicates(contents, deal.split, by_id=project.data.id is not None),
            *hygiene.find_pooling(project, deal.split, table.source, paths, roles),
            *hygiene.find_small_dev(deal.sizes, p, groups if project.data.group else None, project.data.group or ""),
        ]
        if deal.distributions_differ and "dev" in deal.sizes and "train_dev" not in deal.sizes:
            text = "There is no train_dev: variance and data mismatch will not be told apart"
            findings.append(Finding("no_train_dev", f"{text}; `splits.train_dev: auto` holds one out."))
        for label in table.labels if self.case.labels.task == "classification" else ():
            texts = read_texts(self.case.shown.frame[label]).to_pylist()
            classes = np.array([text or "" for text in texts], dtype=np.str_)
            known = classes != ""
            findings += hygiene.find_conflicts(contents[seen][known], classes[known])
            findings += hygiene.describe_sources(classes, table.source[seen], paths, label)
            findings += hygiene.find_class_gaps(classes, deal.split[seen], label, self.metric)
        findings += self.judge_people()
        return findings + hygiene.recommend_id(project, self.case.columns, int(seen.sum()))
