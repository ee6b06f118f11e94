"""The ladder: human, train, train-dev, dev, test, the gaps between them, and a verdict. N examples, D draws.

    >>> from mlproj.diagnose.rungs import parse_rungs
    >>> texts = ["human=0", "train=1%:20000", "train_dev=9%:20000", "dev=10%:20000"]
    >>> ladder_of(None, given=parse_rungs(texts)).verdict.named
    'variance'
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlproj.diagnose.gaps import Judgement, find_steps, judge, smallest_worth_closing
from mlproj.diagnose.notes import leak_notes, prevalence_note, setting_notes
from mlproj.diagnose.resolve import missing_size, plan_growth
from mlproj.diagnose.rungs import RUNGS, GivenRung, as_given, check_scale, is_rate
from mlproj.diagnose.samples import Sample, measure, take
from mlproj.diagnose.words import choose_numbers, verdict_text
from mlproj.errors import InvalidInput, Problem
from mlproj.metrics import as_loss, best_constant, metric_problem
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


def ladder_of(
    predictions: Predictions | None = None,
    *,
    given: Sequence[GivenRung] = (),
    human: HumanLevel | None = None,
    metric: str | None = None,
    metric_is_asked: bool = False,
    distributions_differ: bool = False,
    sealed_test_n: int | None = None,
    min_gap: float | None = None,
) -> Ladder:
    """Computes the ladder of predictions, of rungs given by hand, or of both.

    The metric is the one asked for; else the one that human level is given in (the error, for numbers the rmse); else
    `metric`; else error or rmse.

    Args:
        predictions: Per-example predictions; each of their splits becomes a rung.
        given: Rungs by hand; they replace measured ones of the same name.
        human: Human level of the project.
        metric: Metric of the project, or the one asked for.
        metric_is_asked: Whether `metric` was asked for, so that it wins over the metric of the human level.
        distributions_differ: Whether training and target distribution differ; a train-dev rung implies it when there
            are no predictions.
        sealed_test_n: Examples in a test set that may not be looked at; shown as a sealed rung.
        min_gap: Smallest gap worth closing.

    Returns:
        Rungs, gaps and verdict.

    Raises:
        InvalidInput: When the rungs make no ladder or the metric does not suit them.
    """
    by_hand = {rung.name: rung for rung in given}
    if human is not None and "human" not in by_hand:
        by_hand["human"] = as_given(human)
    chosen = _choose_metric(predictions, given, human, metric, asked=metric_is_asked)
    notes = []
    if human is not None and by_hand["human"].text == "human_level" and _metric_of(human, predictions) != chosen:
        del by_hand["human"]
        notes.append(f"Human level is given in {_metric_of(human, predictions)}, so it does not show in a ladder of {chosen}.")
    check_scale(list(by_hand.values()), chosen)
    samples, more = _gather(predictions, by_hand, chosen)
    differ = distributions_differ or (predictions is None and "train_dev" in samples)
    setting = Setting(
        metric=chosen,
        distributions_differ=differ,
        human_on=by_hand["human"].on if "human" in by_hand else None,
        weighted=predictions is not None and predictions.weight is not None,
        min_gap=min_gap,
        sealed_test_n=None if "test" in samples else sealed_test_n,
    )
    notes += more
    if predictions is not None:
        notes += [*leak_notes(predictions), *prevalence_note(predictions, chosen, differ=differ)]
    constant = None if predictions is None else _constant(predictions, chosen)
    return build_ladder(samples, setting, constant=constant, notes=notes)


def build_ladder(
    samples: Mapping[str, Sample],
    setting: Setting,
    *,
    constant: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> Ladder:
    """Puts rungs together into a ladder with a verdict.

    Args:
        samples: Rungs by name, in ladder order; dev is required.
        setting: Metric, distributions and thresholds.
        constant: The best constant answer and its value.
        notes: What else should be said.

    Raises:
        InvalidInput: When there is no dev rung.
    """
    if "dev" not in samples:
        there = ", ".join(samples) or "none"
        hint = "Add --rung dev=ERROR:N, or predictions whose split is dev."
        raise InvalidInput([Problem("dev", f"a ladder needs a dev rung; there are: {there}", hint)])
    steps = find_steps(
        samples, distributions_differ=setting.distributions_differ, human_on_target=setting.human_on == "target"
    )
    rate = is_rate(setting.metric)
    dev = samples["dev"].value
    worth = smallest_worth_closing(dev, is_rate=rate) if setting.min_gap is None else setting.min_gap
    judged = judge(samples, steps, worth)
    judgement = _spell_out_rivals(judged, setting, has_human="human" in samples)
    resolve = _resolve(samples, judgement, steps, worth)
    numbers = choose_numbers([sample.value for sample in samples.values()], is_rate=rate)
    human = samples["human"].value if "human" in samples else None
    verdict = Verdict(
        state=judgement.state,
        named=judgement.candidates[0] if judgement.state == "named" else None,
        candidates=judgement.candidates,
        text=verdict_text(judgement, numbers, worth, resolve, human, dev),
        resolve=resolve,
    )
    rungs = [sample.rung for sample in samples.values()]
    if setting.sealed_test_n:
        rungs.append(Rung("test", None, None, None, setting.sealed_test_n, "target", sealed=True))
    told = setting_notes(judgement, numbers, worth, on=setting.human_on, differ=setting.distributions_differ)
    return Ladder(
        metric=setting.metric,
        scale=_scale(setting),
        rungs=tuple(rungs),
        gaps=judgement.gaps,
        verdict=verdict,
        constant=constant,
        notes=(*told, *notes),
    )
