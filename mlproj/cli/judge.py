"""Commands that judge models: compare, check-metric, evaluate."""

from typing import Annotated

import typer

from mlproj.cli.shell import Shell, command

NOT_KEPT = 3
"""Exit code of a contract that is not met, or cannot be proved."""
_RUN = "Id, prefix, name, latest, best, or a predictions file (.csv, .parquet)."


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    command(app, "compare", short_help="Two models on the same examples.")(compare)
    command(app, "check-metric", short_help="Does a model keep its contract?")(check_metric)
    command(app, "evaluate", short_help="Open the sealed test set, and count the look.")(evaluate)


def compare(
    shell: Shell,
    a: Annotated[str, typer.Argument(metavar="RUN", help=_RUN, show_default=False)],
    b: Annotated[str, typer.Argument(metavar="RUN", help="The other one, likewise.", show_default=False)],
    metric: Annotated[
        str | None, typer.Option(metavar="NAME", help="Metric to compare by. [default: metric.optimize]")
    ] = None,
    split: Annotated[str, typer.Option(metavar="NAME", help="dev, train or train_dev; test is sealed.")] = "dev",
) -> None:
    """Compare two models on the same examples: which is better, how sure that is, and what would tell."""
    from mlproj.cli.judge_text import compare_text
    from mlproj.workflow.compare import compare as hold_together

    compared = hold_together(a, b, project=shell.project, metric=metric, split=split)
    shell.say(compared.head)
    shell.result(compare_text(compared), compared.document())


def check_metric(
    shell: Shell,
    run: Annotated[str | None, typer.Argument(metavar="RUN", help=_RUN)] = None,
    satisfy: Annotated[
        list[str] | None,
        typer.Option(metavar="LIMIT", help='A limit such as "recall>=0.95", in place of metric.satisfy; repeatable.'),
    ] = None,
) -> None:
    """Hold a model to its contract on dev, judged by the bad end of each interval."""
    from mlproj.cli.judge_text import contract_text
    from mlproj.workflow.contract import check_metric as hold

    kept = hold(run, project=shell.project, satisfy=satisfy or ())
    shell.say(kept.head)
    shell.result(contract_text(kept), kept.document())
    if kept.status != "met":
        raise typer.Exit(NOT_KEPT)


def evaluate(
    shell: Shell,
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="Id, prefix, name, latest, best, or a predictions file with test rows."),
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="NAME", help="test; or dev, train, train_dev, which count as no look.")
    ] = "test",
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why the test set is opened now; kept with the look.")
    ] = None,
) -> None:
    """Open the sealed test set for one model, count and record the look."""
    from mlproj.cli.judge_text import evaluate_text
    from mlproj.workflow.evaluate import evaluate as look

    evaluated = look(run, project=shell.project, split=split, reason=reason)
    shell.say(evaluated.head)
    shell.result(evaluate_text(evaluated), evaluated.document())
