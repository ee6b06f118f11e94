"""Commands that train or look at runs: demo, train, search, runs, ui."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlproj.cli.shell import INTERRUPTED, LikeOption, NameOption, SetOption, Shell, command
from mlproj.errors import InputError

if TYPE_CHECKING:
    from mlproj.workflow.starting import Start


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    command(app, "demo", short_help="First run, offline: two projects, two verdicts.")(demo)
    command(app, "train", short_help="Train the model and track the run.")(train)
    command(app, "search", short_help="Search for better hyperparameters, from coarse to fine.")(search)
    command(app, "runs")(runs)
    command(app, "record", short_help="Keep the answers of a model that was trained elsewhere.")(record)
    command(app, "ui")(ui)


def demo(
    shell: Shell,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to put the two projects.", show_default=False)
    ] = Path("mlproj-demo"),
) -> None:
    """Search two bundled projects offline and show the ladder of each best model, its verdict and the next command."""
    from mlproj.cli.text import demo_text
    from mlproj.workflow.demo import demo as show

    shown = []
    for part in show(folder):
        shown.append(part.document())
        shell.say(demo_text(part))
    if shell.json:
        shell.result("", {"projects": shown})


def train(
    shell: Shell,
    set: SetOption = None,
    like: LikeOption = None,
    name: NameOption = None,
    seeds: Annotated[
        int | None, typer.Option(metavar="N", help="Train N seeds, from `seed` upwards, each a run of its own.")
    ] = None,
    ensemble: Annotated[
        int | None,
        typer.Option(
            metavar="K", help="Average K models as one: the best K of the search that --like names, else K seeds."
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on with what was cut off; with --seeds keep what is trained, train what is missing."
        ),
    ] = False,
) -> None:
    """Train the model, track the run, and show how it does on train, train-dev and dev."""
    from mlproj.workflow.starting import Start, check_kind

    start = Start(shell.path, set or (), like, name)
    check_kind(seeds, ensemble)
    if ensemble is not None:
        _train_ensemble(shell, start, ensemble, resume=resume)
        return
    if seeds is not None:
        _train_seeds(shell, start, seeds, resume=resume)
        return
    from mlproj.cli.progress import TrainingProgress
    from mlproj.cli.text import train_text
    from mlproj.workflow.train import train as fit

    with TrainingProgress(shell) as progress:
        trained = fit(
            shell.path,
            set=set or (),
            like=like,
            name=name,
            resume=resume,
            on_start=progress.start,
            on_epoch=progress.epoch,
        )
    shell.result(train_text(trained), trained.document())
    if trained.fit.outcome.kind == "interrupted":
        raise typer.Exit(INTERRUPTED)


def _train_seeds(shell: Shell, start: "Start", seeds: int, *, resume: bool) -> None:
    from mlproj.cli.progress import SeedsProgress
    from mlproj.cli.seeds_text import seeds_text
    from mlproj.workflow.train_seeds import train_seeds

    with SeedsProgress(shell) as progress:
        trained = train_seeds(start, seeds, resume=resume, on_start=progress.start, on_seed=progress.seed)
    document = trained.document()
    shell.note(trained.one_by_one.words())
    shell.result(seeds_text(document), document)
    if trained.is_interrupted:
        raise typer.Exit(INTERRUPTED)
    if trained.failed:
        raise typer.Exit(1)


def _train_ensemble(shell: Shell, start: "Start", k: int, *, resume: bool) -> None:
    from mlproj.cli.progress import EnsembleProgress
    from mlproj.cli.text import train_text
    from mlproj.workflow.ensemble import train_ensemble

    with EnsembleProgress(shell) as progress:
        trained = train_ensemble(start, k, resume=resume, on_start=progress.start, on_member=progress.seed)
    shell.result(train_text(trained), trained.document())


def search(
    shell: Shell,
    set: SetOption = None,
    like: LikeOption = None,
    name: NameOption = None,
    trials: Annotated[
        int | None, typer.Option(metavar="N", help="Trainings over all rounds. [default: search.trials]")
    ] = None,
    time_budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="Computing time, such as 10m or 1h30m; sleep does not count.")
    ] = None,
    sampler: Annotated[
        str | None, typer.Option(metavar="NAME", help="random, tpe, grid or qmc. [default: search.sampler]")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Trainings at the same time. [default: one per core]")
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="auto, process (one training per worker process) or fleet (many side by side in each)."
        ),
    ] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the search that was cut off.")] = False,
    new: Annotated[bool, typer.Option("--new", help="Start another search although one is unfinished.")] = False,
) -> None:
    """Search for better hyperparameters, from coarse to fine; what is cut off can be gone on with."""
    from mlproj.cli.progress import SearchProgress
    from mlproj.cli.search_text import search_text
    from mlproj.workflow.search import search as look

    with SearchProgress(shell) as progress:
        searched = look(
            shell.path,
            set=set or (),
            like=like,
            name=name,
            trials=trials,
            time_budget=time_budget,
            sampler=sampler,
            workers=workers,
            engine=engine,
            resume=resume,
            new=new,
            on_start=progress.start,
            on_trial=progress.trial,
        )
    document = searched.document()
    shell.note(searched.one_by_one.words())
    shell.result(search_text(document), document)
    if searched.found.stopped == "interrupted":
        raise typer.Exit(INTERRUPTED)


def runs(
    shell: Shell,
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="Id, prefix, name, latest or best.")] = None,
    yaml: Annotated[bool, typer.Option("--yaml", help="Print the run's resolved project.yaml.")] = False,
) -> None:
    """List the runs, or show one run and its resolved spec."""
    from mlproj.cli.text import run_text, runs_text
    from mlproj.workflow.runs import run_document, show_run
    from mlproj.workflow.runs import runs as list_runs

    if run is None and not yaml:
        listing = list_runs(shell.path)
        shell.say(listing.head)
        shell.result(runs_text(listing), {"runs": [run_document(entry, listing.best) for entry in listing.runs]})
        return
    shown = show_run(shell.path, run=run)
    if yaml and not shown.yaml:
        raise InputError(f"{shown.head} holds no project.yaml. Name a finished training: mlproj runs")
    if yaml:
        shell.result(shown.yaml.rstrip("\n"), {"run": run_document(shown.run, None), "yaml": shown.yaml})
    else:
        document = run_document(shown.run, None) | ({"parts": dict(shown.parts)} if shown.parts else {})
        shell.result(run_text(shown), document)


def record(
    shell: Shell,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A predictions file (.csv, .parquet).", show_default=False)
    ] = None,
    name: NameOption = None,
) -> None:
    """Put the answers of a model that was trained elsewhere into the store, where every diagnosis works on them."""
    from mlproj.cli.text import recorded_text
    from mlproj.workflow.foreign import record as keep

    recorded = keep(shell.path, file=file, name=name)
    shell.say(recorded.head)
    shell.result(recorded_text(recorded), recorded.document())


def ui(
    shell: Shell,
    port: Annotated[
        int | None, typer.Option(help="Port on 127.0.0.1. [default: 5000, or the next free one]", show_default=False)
    ] = None,
) -> None:
    """Open the MLflow UI of this project on 127.0.0.1."""
    from mlproj.workflow.runs import ui as serve

    serve(shell.path, port=port, say=shell.say)
