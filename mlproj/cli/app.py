"""The program: every command in the order in which a project meets them."""

from typing import Annotated

import typer

from mlproj import __version__
from mlproj.cli import diagnose, errors, judge, project, run, use
from mlproj.cli.shell import JsonOption, ProjectOption, QuietOption

app = typer.Typer(
    name="mlproj",
    help="Train a model from project.yaml, see where its errors come from, and what to do next.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help starts in half the time and can be pasted
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mlproj {__version__}")
        raise typer.Exit


@app.callback()
def shared(
    context: typer.Context,
    project: ProjectOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    version: Annotated[  # noqa: ARG001  # acts through its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Train a model from project.yaml, see where its errors come from, and what to do next."""
    context.obj = {"project": project, "json": json, "quiet": quiet}


project.register(app)
run.register(app)
judge.register(app)
diagnose.register(app)
errors.register(app)
use.register(app)
