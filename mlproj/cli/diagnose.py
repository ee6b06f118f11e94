"""The group `mlproj diagnose`: where the errors come from."""

from pathlib import Path
from typing import Annotated

import typer

from mlproj.cli.shell import INTERRUPTED, Shell, command

group = typer.Typer(
    help="Find out where the errors come from.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)

NOT_SOUND = 3
"""Exit code of `doctor --strict` when something is broken."""


def register(app: typer.Typer) -> None:
    """Adds the group and its commands."""
    command(group, "bias-variance", short_help="The ladder and the gap to work on.")(bias_variance)
    command(group, "learning-curve", short_help="Would more data help?")(learning_curve)
    command(group, "doctor", short_help="Is anything broken? Sanity checks within a minute.")(doctor)
    command(group, "features", short_help="The columns that a model lives on, and leaks.")(features)
    command(group, "mismatch", short_help="How dev differs from train-dev, or new data from dev.")(mismatch)
    app.add_typer(group, name="diagnose")


def bias_variance(
    shell: Shell,
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="Id, prefix, name, latest, best, or a predictions file (.csv, .parquet)."),
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A predictions file, the long form of giving it as RUN.")
    ] = None,
    rung: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=ERROR[:N]", help="A rung by hand: train=8%:100000, mae rungs as dev=32100±900; repeatable."
        ),
    ] = None,
    human: Annotated[
        str | None, typer.Option(metavar="ERROR[:N]", help="Human-level error, short for --rung human=ERROR[:N].")
    ] = None,
    metric: Annotated[str | None, typer.Option(metavar="NAME", help="Metric of the ladder.")] = None,
    min_gap: Annotated[
        float | None,
        typer.Option(min=0.0, help="Smallest gap worth closing. [default: a tenth of the dev error, at least 0.005]"),
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which label, where there are several; without it their mean.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the ladder, or the series, to a .png file.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the ladder, and the series, to a .md file.")
    ] = None,
    series: Annotated[
        bool, typer.Option("--series", help="Show the runs on the same dev set too, and which gap changed since when.")
    ] = False,
    last: Annotated[int, typer.Option(metavar="N", help="Runs of the series to show at most.")] = 20,
    annotators: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMNS|FILE",
            help="People's labels as human level: columns a,b, or a file (id, annotator, label).",
        ),
    ] = None,
    label_is: Annotated[
        str | None,
        typer.Option(metavar="WHAT", help="What the label is beside theirs: gold, single or consensus."),
    ] = None,
) -> None:
    """Show the ladder human, train, train-dev, dev, test, and name the gap to work on."""
    from mlproj.workflow.diagnose import diagnose_bias_variance

    diagnosis = diagnose_bias_variance(
        run, project=shell.project, predictions=predictions, rung=rung or (), human=human, metric=metric,
        min_gap=min_gap, label=label, picture=picture, markdown=markdown, series=series, last=last,
        annotators=annotators, label_is=label_is,
    )  # fmt: skip
    shell.say(diagnosis.head)
    shell.result(diagnosis.text(), diagnosis.document())


def learning_curve(
    shell: Shell,
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="Id, prefix, name, latest or best.")] = None,
    sizes: Annotated[
        str | None,
        typer.Option(metavar="N,N,…", help="Training sizes or shares. [default: seven in steps of √2]"),
    ] = None,
    repeats: Annotated[
        int, typer.Option(metavar="N", help="Trainings per size, each with another subset and seed.")
    ] = 3,
    target: Annotated[
        str | None,
        typer.Option(metavar="ERROR", help="Error that is wanted, such as 5%. [default: human level, else none]"),
    ] = None,
    metric: Annotated[str | None, typer.Option(metavar="NAME", help="Metric of the curve.")] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Trainings at the same time. [default: one per core]")
    ] = None,
    picture: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the curve to a .png file.")] = None,
) -> None:
    """Train on parts of the data and say whether more data would help."""
    from mlproj.cli.progress import CurveProgressBar
    from mlproj.workflow.learning_curve import diagnose_learning_curve

    with CurveProgressBar(shell) as progress:
        diagnosis = diagnose_learning_curve(
            run, project=shell.project, sizes=sizes, repeats=repeats, target=target, metric=metric, workers=workers,
            picture=picture, on_start=progress.start, on_fit=progress.fit,
        )  # fmt: skip
    if diagnosis.one_by_one:
        shell.note(diagnosis.one_by_one.words())
    shell.result(diagnosis.text(), diagnosis.document())
    if diagnosis.is_interrupted:
        raise typer.Exit(INTERRUPTED)


def doctor(
    shell: Shell,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN", help="Id, prefix, name, latest or best. [default: the newest training, else project.yaml]"
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Look at project.yaml as it stands, not at a run.")] = False,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="Leave out a check, such as signal; repeatable.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="CODE", help="Run this check alone; repeatable.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with exit code 3 when a check fails or breaks, for CI.")
    ] = False,
) -> None:
    """Check that data, model and training are sound: ten classic sanity checks and more, within a minute."""
    from mlproj.cli.progress import DoctorProgress
    from mlproj.workflow.doctor import diagnose_doctor

    with DoctorProgress(shell) as progress:
        doctored = diagnose_doctor(
            run, project=shell.project, fresh=fresh, ignore=ignore or (), only=only or (),
            on_start=progress.start, on_check=progress.check,
        )  # fmt: skip
    shell.result(doctored.text(), doctored.document())
    if strict and doctored.verdict in ("fail", "error"):
        raise typer.Exit(NOT_SOUND)


def features(
    shell: Shell,
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="Id, prefix, name, latest or best.")] = None,
    metric: Annotated[
        str | None, typer.Option(metavar="NAME", help="Metric of the importances. [default: that of the ladder]")
    ] = None,
    repeats: Annotated[
        int, typer.Option(metavar="N", help="Times that each dev example is given another one's cells.")
    ] = 10,
    groups: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN,COLUMN", help="Columns to shuffle together, the others alone; repeatable."),
    ] = None,
    correlation: Annotated[
        float, typer.Option(metavar="R", help="Shuffle columns together that correlate above this; 1: each alone.")
    ] = 0.8,
) -> None:
    """Show which columns a model lives on, which hurt it, and which may hold the answer."""
    from mlproj.workflow.diagnose_features import diagnose_features

    diagnosis = diagnose_features(
        run, project=shell.project, metric=metric, repeats=repeats, groups=groups or (), correlation=correlation
    )
    shell.say(diagnosis.head)
    shell.result(diagnosis.text(), diagnosis.document())


def mismatch(
    shell: Shell,
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="Id, prefix, name, latest, best, or a predictions file (.csv, .parquet)."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="New data without labels, any source: their inputs against those of dev."),
    ] = None,
    metric: Annotated[str | None, typer.Option(metavar="NAME", help="Metric of the gap.")] = None,
    min_gap: Annotated[
        float | None,
        typer.Option(min=0.0, help="Smallest gap worth closing. [default: a tenth of the dev error, at least 0.005]"),
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which label, where there are several; without it their mean.")
    ] = None,
) -> None:
    """Say how dev differs from train-dev, what makes the gap between them, and what to do about it."""
    from mlproj.workflow.mismatch import diagnose_mismatch

    compared = diagnose_mismatch(
        run, project=shell.project, against=against, metric=metric, min_gap=min_gap, label=label
    )
    shell.say(compared.head)
    shell.result(compared.text(), compared.document())
