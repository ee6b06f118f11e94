"""The group `mlproj diagnose`: where the errors come from."""

from pathlib import Path
from typing import Annotated

import typer

from mlproj.cli.shell import Shell, command

group = typer.Typer(
    help="Find out where the errors come from.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)


def register(app: typer.Typer) -> None:
    """Adds the group and its commands."""
    command(group, "bias-variance", short_help="The ladder and the gap to work on.")(bias_variance)
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
    picture: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the ladder to a .png file.")] = None,
) -> None:
    """Show the ladder human, train, train-dev, dev, test, and name the gap to work on."""
    from mlproj.workflow.diagnose import diagnose_bias_variance

    diagnosis = diagnose_bias_variance(
        run, project=shell.project, predictions=predictions, rung=rung or (), human=human, metric=metric,
        min_gap=min_gap, label=label, picture=picture,
    )  # fmt: skip
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
