"""What all commands share: the options before and after the command, where output goes, and how errors end.

With ``--json`` standard output holds exactly one JSON document and everything else goes to standard error; ``--quiet``
leaves only results and errors. A user's mistake ends with exit code 2 and a message, never with a traceback.
"""

import errno
import functools
import inspect
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mlproj.errors import InputError, InvalidInput, MlprojError, Problem

ProjectOption = Annotated[
    Path | None, typer.Option("--project", metavar="PATH", help="A project.yaml or a folder holding one. [default: .]")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Print results and errors only.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a key of project.yaml for this command; repeatable."),
]
LikeOption = Annotated[
    str | None, typer.Option("--like", metavar="RUN", help="Start from that run's spec instead of project.yaml.")
]
NameOption = Annotated[str | None, typer.Option("--name", metavar="NAME", help="Name of the run.")]

_documents: list[Any] = []
"""What was printed as JSON by this invocation: one document at the end."""
INPUT_IS_WRONG = 2
INTERRUPTED = 130


@dataclass(frozen=True)
class Shell:
    """One invocation: which project, and how to speak.

    Attributes:
        project: Path given with ``--project``; None for the current folder.
        json: Whether standard output is one JSON document.
        quiet: Whether only results and errors are printed.
    """

    project: Path | None
    json: bool
    quiet: bool

    def say(self, text: str = "") -> None:
        """Prints a line that accompanies a result: dropped with ``--quiet``, on standard error with ``--json``."""
        if not self.quiet:
            typer.echo(text, err=self.json)

    def note(self, text: str) -> None:
        """Prints a note that accompanies a result, where there is one."""
        if text:
            self.say(f"note: {text}")

    def result(self, text: str, document: Any) -> None:
        """Prints the result itself: the text, or with ``--json`` the document."""
        if self.json:
            _print_document(document)
        else:
            typer.echo(text)

    @property
    def path(self) -> Path:
        """The project's path, the current folder by default."""
        return self.project or Path()


def command(app: typer.Typer, name: str, **settings: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers a command that receives a `Shell` first and has the shared options, before or after its name.

    Args:
        app: Where to register it.
        name: Its name on the command line.
        settings: Further arguments of `typer.Typer.command`.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(function).parameters.values())[1:]
        shared = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            for key, default, kind in (
                ("project", None, ProjectOption),
                ("json", False, JsonOption),
                ("quiet", False, QuietOption),
            )
        ]
        context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        keyword_only = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]

        @functools.wraps(function)
        def run(*, context: typer.Context, project: Path | None, json: bool, quiet: bool, **options: Any) -> None:
            before: Mapping[str, Any] = context.find_root().obj or {}
            shell = Shell(
                project or before.get("project"), json or before.get("json", False), quiet or before.get("quiet", False)
            )
            _end_well(shell, lambda: function(shell, **options))

        run.__signature__ = inspect.Signature([context, *keyword_only, *shared])  # type: ignore[attr-defined]  # Typer reads it
        run.__annotations__ = {p.name: p.annotation for p in [context, *keyword_only, *shared]}
        app.command(name, **settings)(run)
        return run

    return register


def _end_well(shell: Shell, work: Callable[[], None]) -> None:
    """Runs a command's work and turns what can go wrong into a message and an exit code."""
    try:
        work()
    except InputError as error:
        _explain(shell, error)
        raise typer.Exit(INPUT_IS_WRONG) from None
    except MlprojError as error:
        _explain(shell, error)
        raise typer.Exit(1) from None
    except KeyboardInterrupt as interrupt:
        typer.echo(f"Interrupted. {interrupt}".rstrip(), err=True)
        if shell.json and not _documents:
            _print_document({"ok": False, "problems": problem_rows((Problem("", "interrupted", str(interrupt)),))})
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        raise
    except OSError as error:
        hint = "; make room and run it again" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        _explain(shell, MlprojError(f"{error.filename or 'The system'}: {error.strerror or error}{hint}"))
        raise typer.Exit(1) from None


def _explain(shell: Shell, error: MlprojError) -> None:
    problems = error.problems if isinstance(error, InvalidInput) else (Problem("", str(error)),)
    typer.echo(str(error), err=True)
    if len(problems) > 1:
        typer.echo(f"{len(problems)} problems; nothing was started.", err=True)
    if shell.json:
        _print_document({"ok": False, "problems": problem_rows(problems)})


def _print_document(document: Any) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1))
    _documents.append(document)


def answer_usage_error() -> None:
    """Prints the document of a command line that Typer refused: the reason stands on standard error."""
    if not _documents:
        message = "the command line is wrong; standard error says how"
        _print_document({"ok": False, "problems": problem_rows((Problem("", message, "mlproj --help"),))})


def problem_rows(problems: tuple[Problem, ...]) -> list[dict[str, Any]]:
    """Problems as the JSON documents show them."""
    return [{"where": p.where, "line": p.line, "message": p.message, "hint": p.hint} for p in problems]


def is_terminal() -> bool:
    """Whether progress can be drawn: standard error is a terminal."""
    return sys.stderr.isatty()
