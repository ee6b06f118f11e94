"""The ladder: human, train, train-dev, dev, test, the gaps between them, and a verdict.

>>> from mlproj.diagnose.rungs import parse_rungs
>>> texts = ["human=0", "train=1%:20000", "train_dev=9%:20000", "dev=10%:20000"]
>>> ladder_of(None, given=parse_rungs(texts)).verdict.named
'variance'
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from mlproj.diagnose.gaps import Judgement, Step, find_steps, judge, smallest_worth_closing
from mlproj.diagnose.gather import (
    choose_metric,
    find_constant,
    gather_samples,
    leak_notes,
    metric_of_level,
)
from mlproj.diagnose.prevalence import match_prevalence, prevalence_note
from mlproj.diagnose.resolve import missing_size, plan_growth
from mlproj.diagnose.rungs import RELATIVE_LOSS, GivenRung, as_given, check_scale, is_rate
from mlproj.diagnose.samples import Sample
from mlproj.diagnose.several import of_label, own_metric
from mlproj.diagnose.words import choose_numbers, idle_note, setting_notes, verdict_text
from mlproj.errors import InvalidInput, Problem
from mlproj.records import Ladder, Predictions, Rung, Verdict
from mlproj.spec.goal import LOSSES, HumanLevel


@dataclass(frozen=True)
class Setting:
    """What a ladder is computed under.

    Attributes:
        metric: Its metric; scores are turned into losses.
        distributions_differ: Whether training and target distribution differ.
        human_on: Distribution on which human level was measured; None for both.
        weighted: Whether examples are weighted.
        min_gap: Smallest gap worth closing; by default a tenth of the dev error, for rates at least half a point.
        sealed_test_n: Examples in a test set that may not be looked at.
    """

    metric: str
    distributions_differ: bool = False
    human_on: str | None = None
    weighted: bool = False
    min_gap: float | None = None
    sealed_test_n: int | None = None

    @property
    def scale(self) -> str:
        """What the numbers are: the metric, or 1 − the metric for a score."""
        if self.metric == RELATIVE_LOSS:
            return "loss / constant"
        shown = self.metric if self.metric in LOSSES else f"1 - {self.metric}"
        return f"weighted {shown}" if self.weighted else shown


def ladder_of(
    predictions: Predictions | None = None,
    *,
    given: Sequence[GivenRung] = (),
    human: HumanLevel | None = None,
    metric: str | None = None,
    metric_is_asked: bool = False,
    distributions_differ: bool = False,
    sealed_test_n: int | None = None,
    opened: Mapping[str, GivenRung] = MappingProxyType({}),
    min_gap: float | None = None,
    label: str | None = None,
    people: GivenRung | None = None,
    is_part: bool = False,
    plan: bool = True,
) -> Ladder:
    """Computes the ladder of predictions, of rungs given by hand, or of both.

    The metric is the one asked for; else the one that human level is given in (the error; for numbers the rmse); else
    `metric`; else error or rmse.

    Args:
        predictions: Per-example predictions; each of their splits becomes a rung.
        given: Rungs by hand, in the error (rmse for numbers) unless a metric is asked for; they replace measured ones
            of the same name.
        human: Human level of the project.
        metric: Metric of the project, or the one asked for.
        metric_is_asked: Whether `metric` was asked for, so that it wins over the metric of the human level.
        distributions_differ: Whether training and target distribution differ; without predictions a train-dev rung
            says so.
        sealed_test_n: Examples in a test set that may not be looked at; shown as a sealed rung.
        opened: The test rung as an evaluation measured it, by metric, where the test set was opened for this model.
        min_gap: Smallest gap worth closing.
        label: The one label to speak of, where there are several.
        people: The rung that `human` amounts to, where it is no figure: measured on the labels of several people.
        is_part: Whether it stands beside a ladder of the same examples that already says what they lack.
        plan: Whether to reckon how many examples would settle an unresolved ladder, which takes most of the time.

    Returns:
        Rungs, gaps and verdict; with several labels those of the mean, and each label's own ladder.

    Raises:
        InvalidInput: When the rungs make no ladder or the metric does not suit them.
    """
    predictions = predictions if label is None or predictions is None else of_label(predictions, label)
    chosen = choose_metric(predictions, given, human, metric, asked=metric_is_asked)
    by_hand = {rung.name: rung for rung in given}
    notes = []
    if human is not None and label is not None:
        notes.append(f"The project's human level speaks of all labels together: give that of {label} with --human.")
    elif human is not None and "human" not in by_hand:
        if metric_of_level(human, predictions) == chosen:
            by_hand["human"] = people or as_given(human)
        else:
            notes.append(
                f"Human level is given in {metric_of_level(human, predictions)}: it cannot stand beside {chosen}."
            )
    if "test" not in by_hand and chosen in opened:
        by_hand["test"] = opened[chosen]
        notes.append(f"The test rung is that of `mlproj evaluate` ({opened[chosen].text}).")
    check_scale(list(by_hand.values()), chosen)
    samples, further = gather_samples(predictions, by_hand, chosen)
    notes += further
    matched = None if predictions is None else match_prevalence(predictions, chosen)
    if predictions is not None and not is_part:
        notes += leak_notes(predictions)
    setting = Setting(
        metric=chosen,
        distributions_differ=distributions_differ or (predictions is None and "train_dev" in samples),
        human_on=by_hand["human"].on if "human" in by_hand else None,
        weighted=predictions is not None and predictions.weight is not None,
        min_gap=min_gap,
        sealed_test_n=None if "test" in samples else sealed_test_n,
    )
    notes += prevalence_note(matched, setting.scale, is_rate=is_rate(chosen))
    ladder = build_ladder(samples, setting, constant=find_constant(predictions, chosen), notes=notes, plan=plan)
    labels = {} if predictions is None else _ladders_of_labels(predictions, setting)
    return replace(ladder, matched=matched, labels=labels, label=label or "")


def _ladders_of_labels(predictions: Predictions, setting: Setting) -> dict[str, Ladder]:
    """The ladder of each of several labels; a human level speaks of their mean, so it stands in none of them."""
    if len(predictions.labels) < 2:
        return {}
    return {
        label: ladder_of(
            of_label(predictions, label),
            is_part=True,
            metric=own_metric(setting.metric, answers),
            metric_is_asked=True,
            distributions_differ=setting.distributions_differ,
            min_gap=setting.min_gap if setting.metric == own_metric(setting.metric, answers) else None,
        )
        for label, answers in predictions.labels.items()
        if answers.known[predictions.split == "dev"].any()
    }


def build_ladder(
    samples: Mapping[str, Sample],
    setting: Setting,
    *,
    constant: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
    plan: bool = True,
) -> Ladder:
    """Puts rungs together into a ladder with a verdict.

    Args:
        samples: Rungs by name, in ladder order; dev is required.
        setting: Metric, distributions and thresholds.
        constant: The best constant answer and its value.
        notes: What else should be said.
        plan: Whether to reckon what would settle it where it is unresolved.

    Raises:
        InvalidInput: When there is no dev rung.
    """
    if "dev" not in samples:
        there = ", ".join(samples) or "none"
        hint = "Add --rung dev=ERROR:N, or predictions whose split is dev."
        raise InvalidInput([Problem("dev", f"a ladder needs a dev rung; there are: {there}", hint)])
    differ, rate = setting.distributions_differ, is_rate(setting.metric)
    steps = find_steps(samples, distributions_differ=differ, human_on_target=setting.human_on == "target")
    worth = smallest_worth_closing(samples["dev"].value, is_rate=rate) if setting.min_gap is None else setting.min_gap
    judgement = _with_lump_spelled_out(judge(samples, steps, worth), steps)
    resolve = _resolve(samples, steps, judgement, worth) if plan else None
    numbers = choose_numbers([sample.value for sample in samples.values()], is_rate=rate)
    errors = {name: (sample.on_target or sample).value for name, sample in samples.items()}
    verdict = Verdict(
        judgement.state,
        named=judgement.candidates[0] if judgement.state == "named" else None,
        candidates=judgement.candidates,
        text=verdict_text(judgement, numbers, worth, resolve, errors),
        resolve=resolve,
        min_gap=worth,
        regret=judgement.regret,
        confidence_set=judgement.audit,
    )
    rungs = [sample.shown for sample in samples.values()]
    if setting.sealed_test_n:
        rungs.append(Rung("test", None, None, None, setting.sealed_test_n, "target", sealed=True))
    idle = idle_note(samples["dev"].rung, constant, numbers)
    told = setting_notes(judgement, numbers, worth, bracket=any(step.mixed for step in steps))
    return Ladder(
        setting.metric, setting.scale, tuple(rungs), judgement.gaps, verdict, constant, (*idle, *told, *notes)
    )


def _with_lump_spelled_out(judgement: Judgement, steps: Sequence[Step]) -> Judgement:
    """Without a training rung the lump of bias and variance remains under the names of its parts."""
    lump = next((k for k, step in enumerate(steps) if not step.name), None)
    if lump is None or judgement.state != "unresolved" or judgement.chances[lump] < 0.05:
        return judgement
    bias = "training_error" if steps[lump].upper is None else "avoidable_bias"
    return replace(judgement, candidates=(bias, "variance", *judgement.candidates))


def _resolve(
    samples: Mapping[str, Sample], steps: Sequence[Step], judgement: Judgement, worth: float
) -> Mapping[str, Any] | None:
    if judgement.state == "unresolved":
        return plan_growth(samples, steps, judgement, worth)
    if judgement.state == "named" and judgement.candidates[0] == "variance_or_data_mismatch":
        return {"grow": "train_dev", "by": missing_size(samples, "train_dev", worth)}
    return None
