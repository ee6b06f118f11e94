"""The group `mlproj errors`: sheets of wrong answers out, what people saw in them back."""

from pathlib import Path
from typing import Annotated

import typer

from mlproj.cli.shell import Shell, command

group = typer.Typer(
    help="Look at the errors one by one, in a sheet.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)
FilesArgument = Annotated[
    list[Path], typer.Argument(metavar="FILE…", help="Sheets that came back: one, or one per reviewer.")
]


def register(app: typer.Typer) -> None:
    """Adds the group and its commands."""
    command(group, "export", short_help="Write wrong answers into a sheet.")(export)
    command(group, "summarize", short_help="Read sheets back: ceilings, labels, slices.")(summarize)
    command(group, "apply", short_help="Put corrected labels into data.corrections.")(apply)
    app.add_typer(group, name="errors")


def export(
    shell: Shell,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The sheet: .csv or .xlsx.")],
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="Id, prefix, name, latest, best, or a predictions file (.csv, .parquet)."),
    ] = None,
    n: Annotated[int, typer.Option("--n", help="Rows: wrong answers, suspects or labels.")] = 100,
    tags: Annotated[
        str | None, typer.Option(metavar="A,B", help="Reasons that get a column. [default: error_analysis.tags]")
    ] = None,
    with_correct: Annotated[int, typer.Option(metavar="N", help="So many right answers besides, to audit labels.")] = 0,
    draw_from: Annotated[
        str, typer.Option("--from", metavar="WHAT", help="dev: wrong answers; suspects: labels that look wrong.")
    ] = "dev",
    split: Annotated[str, typer.Option(help="dev; test only with --labels-only.")] = "dev",
    labels_only: Annotated[bool, typer.Option("--labels-only", help="Labels without answers, for an audit.")] = False,
    label: Annotated[str | None, typer.Option(metavar="NAME", help="Which label, where there are several.")] = None,
    reviewers: Annotated[str | None, typer.Option(metavar="A,B", help="Names; each gets a sheet.")] = None,
    overlap: Annotated[int | None, typer.Option(help="Rows that all reviewers get. [default: 30]")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
) -> None:
    """Write wrong answers into a sheet (.csv, .xlsx) that people fill in."""
    from mlproj.workflow.errors_export import errors_export

    exported = errors_export(
        run, out=out, project=shell.project, n=n, tags=tags, with_correct=with_correct, draw_from=draw_from,
        split=split, labels_only=labels_only, label=label, reviewers=reviewers, overlap=overlap, seed=seed,
    )  # fmt: skip
    shell.say(exported.head)
    files = ", ".join(map(str, exported.files))
    lines = [f"Wrote {len(exported.manifest.examples):,} rows to {files}.", *exported.notes, f"next: {exported.next}"]
    shell.result("\n".join(lines), exported.document())


def summarize(
    shell: Shell,
    files: FilesArgument,
    predictions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The predictions, where nothing is known of the sheet any more.")
    ] = None,
) -> None:
    """Say what the reviewers saw: how much each reason can win at most, and whether labels should be mended."""
    from mlproj.workflow.errors_summarize import errors_summarize

    summary = errors_summarize(files, project=shell.project, predictions=predictions)
    shell.say(summary.head)
    shell.result(summary.text(), summary.document())


def apply(
    shell: Shell,
    files: FilesArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
) -> None:
    """Put the labels that reviewers corrected into data.corrections, and show what changes for the stored runs."""
    from mlproj.cli.errors_text import applied_text
    from mlproj.workflow.errors_apply import errors_apply

    applied = errors_apply(files, project=shell.project, dry_run=dry_run)
    shell.say(applied.head)
    shell.result(applied_text(applied), applied.document())
