"""Commands about the project itself: init, check, schema, model, split."""

from pathlib import Path
from typing import Annotated

import typer

from mlproj.cli.shell import INPUT_IS_WRONG, SetOption, Shell, command, problem_rows


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    command(app, "init", short_help="Write a commented project.yaml.")(init)
    command(app, "check", short_help="Validate spec and data before training.")(check)
    command(app, "schema")(schema)
    command(app, "model")(model)
    command(app, "split", short_help="Deal the splits once and show them.")(split)


def init(
    shell: Shell,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of the new project.", show_default=False)
    ] = Path(),
    data: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Data to infer columns and task from: a file, folder, glob or sklearn:NAME."),
    ] = None,
    label: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column to predict.")] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the project. [default: the folder's]")
    ] = None,
) -> None:
    """Write a commented project.yaml, inferred from the data where given."""
    from mlproj.workflow.project import init as write

    made = write(folder, data=data, label=label, name=name)
    shell.say(f"Wrote {made.path} (and {made.schema.name}, which lets editors complete and check it).")
    for note in made.notes:
        shell.say(note)
    shell.result(f"next: {made.next}", {"project": str(made.path), "schema": str(made.schema), "next": made.next})


def check(shell: Shell, set: SetOption = None) -> None:
    """Validate spec and data, and show what the splits can tell, before anything is trained."""
    from mlproj.cli.text import check_text
    from mlproj.workflow.project import check as examine

    checked = examine(shell.path, set=set or ())
    report = checked.report
    if checked.head:
        shell.say(f"{checked.head}\n")
    document = {
        "ok": not checked.problems,
        "problems": problem_rows(checked.problems),
        "columns": [
            {"name": c.name, "type": c.type, "missing": c.missing, "unique": c.unique, "guessed": c.guessed}
            for c in (report.columns if report else ())
        ],
        "splits": {name: dict(row) for name, row in report.splits.items()} if report else {},
        "warnings": list(report.warnings) if report else [],
        "notes": list(report.notes) if report else [],
    }
    shell.result(check_text(checked), document)
    if checked.problems:
        for problem in checked.problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(INPUT_IS_WRONG)


def schema(shell: Shell) -> None:
    """Print the JSON Schema of project.yaml, for editors."""
    import json

    from mlproj.spec.schema import json_schema

    document = json_schema()
    shell.result(json.dumps(document, indent=1, ensure_ascii=False), document)


def model(shell: Shell, set: SetOption = None) -> None:
    """Show the model layer by layer, with shapes and parameters."""
    from mlproj.cli.tables import table
    from mlproj.workflow.project import model as describe

    summary = describe(shell.path, set=set or ())
    shell.say(summary.head)
    rows = [(row.layer, " × ".join(map(str, row.output)), f"{row.parameters:,}") for row in summary.layers]
    total = sum(row.parameters for row in summary.layers)
    text = table(("layer", "output", "parameters"), [*rows, ("total", "", f"{total:,}")], right=(2,))
    document = {
        "layers": [{"layer": r.layer, "output": list(r.output), "parameters": r.parameters} for r in summary.layers],
        "parameters": total,
        "inputs": list(summary.inputs),
        "outputs": list(summary.outputs),
    }
    shell.result(text, document)


def split(
    shell: Shell,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write id and split to a .csv or .parquet file.")
    ] = None,
    redraw: Annotated[bool, typer.Option("--redraw", help="Deal anew; later reports say so.")] = False,
    set: SetOption = None,
) -> None:
    """Deal the splits once, show them, and write them for colleagues."""
    from mlproj.cli.text import split_text
    from mlproj.workflow.project import split as deal

    dealt = deal(shell.path, out=out, redraw=redraw, set=set or ())
    shell.say(dealt.head)
    document = {
        "splits": {name: dict(row) for name, row in dealt.splits.items()},
        "notes": list(dealt.notes),
        "redraws": dealt.redraws,
        "out": str(out) if out else None,
    }
    shell.result(split_text(dealt, out), document)
