"""Commands that use a model: predict."""

from pathlib import Path
from typing import Annotated

import typer

from mlproj.cli.shell import Shell, command

NOT_ALL_ANSWERED = 1


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    command(app, "predict", short_help="Answer for the rows of a file with a stored model.")(predict)


def predict(
    shell: Shell,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id, prefix, name, latest or best; a search's best trial.")],
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Rows to answer for: .csv, .parquet or another data source.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the answers go: a .csv or .parquet file.")],
) -> None:
    """Answer for the rows of a file with a stored model, however many there are.

    A row that cannot be read keeps its place with empty answers, is reported, and makes the exit code 1.
    """
    from mlproj.cli.progress import PredictProgress
    from mlproj.cli.text import predict_text
    from mlproj.workflow.predict import predict as answer

    with PredictProgress(shell) as progress:
        predicted = answer(run, file, out=out, project=shell.path, on_start=progress.start, on_rows=progress.rows)
    shell.result(predict_text(predicted), predicted.document())
    if predicted.tally.unanswered:
        raise typer.Exit(NOT_ALL_ANSWERED)
