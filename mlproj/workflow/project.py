"""Commands about the project itself: init, check, schema, model, split."""

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlproj.advise.commands import join
from mlproj.errors import InvalidInput, Problem
from mlproj.spec.model import Python
from mlproj.spec.project import Project
from mlproj.spec.space import space_notes
from mlproj.workflow.human import check_annotators
from mlproj.workflow.labels import note_one_sided
from mlproj.workflow.runs import load, split_sizes, store_note

if TYPE_CHECKING:
    from mlproj.data import CheckReport
    from mlproj.track import Store
    from mlproj.zoo import LayerRow


@dataclass(frozen=True)
class Made:
    """What `init` wrote."""

    path: Path
    schema: Path
    notes: tuple[str, ...]
    next: str


def init(
    folder: str | Path = Path(), *, data: str | None = None, label: str | None = None, name: str | None = None
) -> Made:
    """Write a commented project.yaml, inferred from the data where given.

    Args:
        folder: Folder of the new project; made when it is not there.
        data: A file, folder or glob of data, ``sklearn:NAME`` or ``python:package.module:function``.
        label: Column to predict.
        name: Name of the project; the folder's by default.

    Raises:
        InvalidInput: When a project.yaml is there already, or the data cannot be read.
    """
    from mlproj.spec.schema import json_schema

    folder = Path(folder)
    path, schema_path = folder / "project.yaml", folder / "project.schema.json"
    if path.exists():
        raise InvalidInput(
            [Problem(str(path), "is there already", "Edit it, or choose another folder: mlproj init DIR")]
        )
    text, notes = _starter(folder, data, label, name or folder.resolve().name or "project")
    folder.mkdir(parents=True, exist_ok=True)
    schema_path.write_text(json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    at = [] if folder.resolve() == Path.cwd() else ["--project", str(folder)]
    return Made(path, schema_path, notes, shlex.join(["mlproj", *at, "check"]))


def _starter(folder: Path, data: str | None, label: str | None, name: str) -> tuple[str, tuple[str, ...]]:
    """The text of a new project.yaml and what there is to say about it."""
    from mlproj.spec.starter import starter_yaml

    if data is None:
        text = starter_yaml(name=name, source="data.csv", label=label, task=None, columns=())
        return text, ("No data given: fill in `data.source` and `data.label`.",)
    from mlproj.data.describe import describe_source

    described = describe_source(data, Path(), label=label)  # the folder may not be there yet
    source = data if data.startswith(("sklearn:", "python:")) else _relative(Path(data), folder)
    text = starter_yaml(
        name=name,
        source=source,
        label=described.label,
        task=described.task,
        columns=[
            (c.name, c.type, c.note)
            for c in described.features
            if c.name != described.suggestions.get("id") and c.name not in described.annotators
        ],
        suggestions=described.suggestions,
        annotators=described.annotators,
    )
    return text, described.notes


def _relative(file: Path, folder: Path) -> str:
    """The path of a data file as seen from the project's folder; absolute where that is shorter to say."""
    relative = os.path.relpath(file.resolve(), folder.resolve())
    return Path(relative).as_posix() if not relative.startswith("../../..") else str(file.resolve())


@dataclass(frozen=True)
class Checked:
    """A project that was looked over.

    Attributes:
        problems: What has to be mended before anything starts.
        head: First line: project, split sizes, store; empty when project.yaml could not be read.
        report: Columns, splits and warnings; None when project.yaml could not be read.
        next: The command to run next, when nothing has to be mended.
    """

    problems: tuple[Problem, ...]
    head: str = ""
    report: "CheckReport | None" = None
    next: str = ""


def check(project: Project | str | Path = ".", *, set: Sequence[str] = ()) -> Checked:
    """Validate spec and data, and show what the splits can tell, before anything is trained.

    Args:
        project: A project, a project.yaml or a folder holding one.
        set: Changes such as ``splits.dev=500``.

    Returns:
        What was found; nothing is written.
    """
    from mlproj.track import store_for

    try:
        project = load(project, set=set)
        store = store_for(project)
    except InvalidInput as error:  # before pandas is imported: a misspelt key is answered at once
        return Checked(error.problems)
    from mlproj.data import examine, load_dataset

    report = examine(project, store.splits)
    sizes = {name: int(row["n"]) for name, row in report.splits.items()}
    head = _head(project, sizes, store)
    if report.problems:
        return Checked(report.problems, head, report)
    from mlproj.training import choice_problems, own_notes, resolve

    try:
        dataset = load_dataset(project, store=store.splits, save=False)
        notes = [*own_notes(resolve(project, dataset), dataset), *check_annotators(project, dataset)]
        if problems := choice_problems(project, dataset):
            return Checked(tuple(problems), head, report)
    except InvalidInput as error:
        return Checked(error.problems, head, report)
    one_sided = note_one_sided(dataset.corrections, sizes)
    warnings = report.warnings if one_sided is None else (*report.warnings, one_sided)
    if project.search and project.search.space:
        notes += space_notes(project, project.search.space)
    report = replace(report, notes=(*notes, *report.notes), warnings=warnings)
    return Checked((), head, report, join(project, "train"))


def _head(project: Project, sizes: Mapping[str, int], store: "Store") -> str:
    """First line of a command that speaks of a project: its name, its splits, and where its runs are kept."""
    return " · ".join([project.name, *split_sizes(sizes)]) + store_note(store)


def schema() -> dict[str, Any]:
    """Print the JSON Schema of project.yaml, for editors."""
    from mlproj.spec.schema import json_schema

    return json_schema()


@dataclass(frozen=True)
class Summary:
    """The model layer by layer.

    Attributes:
        head: First line: project, inputs and outputs.
        layers: Rows of the layer table.
        inputs: Names of the F inputs after encoding.
        outputs: What the outputs stand for.
    """

    head: str
    layers: "tuple[LayerRow, ...]"
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def model(project: Project | str | Path = ".", *, set: Sequence[str] = ()) -> Summary:
    """Show the model layer by layer, with shapes and parameters.

    Args:
        project: A project, a project.yaml or a folder holding one.
        set: Changes such as ``model.width=128``.

    Raises:
        InvalidInput: When spec or data are wrong.
    """
    from mlproj.data import load_dataset
    from mlproj.track import store_for

    project = load(project, set=set)
    dataset = load_dataset(project, store=store_for(project).splits, save=False)
    from mlproj.zoo import build_model, layer_table

    sizes, n_outputs = dataset.encoder.sizes, dataset.target.n_outputs
    built = build_model(
        project, n_features=len(dataset.encoder.names), n_outputs=n_outputs, seed=project.seed, columns=sizes
    )
    labels, classes = dataset.target.labels, dataset.target.classes
    outputs = labels if dataset.target.kind != "multiclass" else classes[0]
    shown = ", ".join(outputs[:6]) + (", …" if len(outputs) > 6 else "")
    head = f"{project.name} · {_what(project)} · {len(dataset.encoder.names)} inputs → {shown}"
    return Summary(head, layer_table(built), dataset.encoder.names, tuple(outputs))


def _what(project: Project) -> str:
    """What is trained, in a word or two."""
    return " ".join([project.model.kind, *([project.model.factory] if isinstance(project.model, Python) else [])])


@dataclass(frozen=True)
class Dealt:
    """The splits as they lie."""

    head: str
    splits: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...]
    redraws: int


def split(
    project: Project | str | Path = ".", *, out: Path | None = None, redraw: bool = False, set: Sequence[str] = ()
) -> Dealt:
    """Deal the splits once, show them, and write them for colleagues.

    Args:
        project: A project, a project.yaml or a folder holding one.
        out: A .csv or .parquet file to write id and split to, without labels.
        redraw: Deal anew instead of keeping the stored deal; later reports say so.
        set: Changes such as ``splits.dev=500``.

    Raises:
        InvalidInput: When spec or data are wrong, or `out` is neither .csv nor .parquet.
    """
    if out is not None:
        _check_out(out)
    from mlproj.data import deal_project, is_large, load_dataset
    from mlproj.track import store_for

    project = load(project, set=set)
    store = store_for(project)
    notes = []
    if is_large(project):
        deal = deal_project(project, store=store.splits, redraw=redraw)
        notes.append("The files are large: features were not looked at; `mlproj check` reads them.")
    else:
        deal = load_dataset(project, store=store.splits, redraw=redraw).deal
    if out is not None:
        import pandas as pd

        kept = deal.split != ""
        frame = pd.DataFrame({"id": deal.ids[kept], "split": deal.split[kept]})
        if out.suffix.lower() == ".csv":
            frame.to_csv(out, index=False)
        else:
            frame.to_parquet(out, index=False)
    splits = {name: {"n": n, "from": dict(deal.sources.get(name, {}))} for name, n in deal.sizes.items()}
    asked = [setting for setting in set if setting.partition("=")[0].strip().partition(".")[0] == "splits"]
    notes += [*deal.notes, *([_keep(project, asked)] if redraw and asked else [])]
    return Dealt(_head(project, deal.sizes, store), splits, tuple(notes), deal.redraws)


def _keep(project: Project, asked: Sequence[str]) -> str:
    """What to do after splits were dealt by sizes that project.yaml does not name."""
    settings = ", ".join(asked)
    return f"Write {settings} into {project.file} now: training refuses splits that were dealt by other sizes."


def _check_out(out: Path) -> None:
    """Whether a list of splits may be written to a path: never over a file that is something else.

    Raises:
        InvalidInput: When it may not.
    """
    problem = ""
    if out.suffix.lower() not in (".csv", ".parquet"):
        problem, hint = f"{out} is neither .csv nor .parquet", "Name a .csv or .parquet file."
    elif not out.parent.is_dir():
        problem, hint = f"the folder {out.parent} does not exist", "Make it first, or name another."
    elif out.exists() and not _is_split_list(out):
        problem, hint = f"{out} is there already and is no list of splits", "Name another file, so that it is kept."
    if problem:
        raise InvalidInput([Problem("--out", problem, hint)])


def _is_split_list(file: Path) -> bool:
    """Whether a file has the columns that `split --out` writes."""
    import pandas as pd

    try:
        is_csv = file.suffix.lower() == ".csv"
        frame = pd.read_csv(file, nrows=0) if is_csv else pd.read_parquet(file)
    except (OSError, ValueError):
        return False
    return list(frame.columns) == ["id", "split"]
