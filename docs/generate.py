"""Writes the parts of the documentation that come from code, or checks that they are current.

Whole pages: the reference of project.yaml and the reference of the commands. Blocks inside hand-written pages stand
between `<!-- generated: NAME -->` and `<!-- end -->`.

    python docs/generate.py             write
    python docs/generate.py --check     change nothing; exit code 1 when something differs
    python docs/generate.py --record    also run the screens between `<!-- recorded: NAME -->` and `<!-- end -->` anew:
                                        real trainings, whose run names and times differ from run to run
"""

import contextlib
import os
import re
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import typer
from typer.testing import CliRunner

import mlproj
from mlproj.cli.app import app
from mlproj.spec.fields import Row, reference_rows
from mlproj.spec.load import parse_project

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BLOCK = re.compile(r"(<!-- (generated|recorded): ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
PLAIN = {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
NOTE = "<!-- Written by docs/generate.py from {source}; edit that, then run `make docs-pages`. -->\n"
LADDER = (
    "diagnose bias-variance --rung human=0.02:1000 --rung train=2.4%:60000 --rung train_dev=0.09:2000 "
    "--rung dev=0.104:2000"
)
BROKEN = """\
name: cats
data:
  source: app.csv
  lable: is_cat
metric: {optimize: f1, satisfy: {recall: "at least 0.95"}}
model: {kind: mlp, width: 1e2, dropout: 1.5}
training: {optimizer: adm, learning_rate: 1e-3}
"""
EXAMPLES = {
    "init": "mlproj init churn --data customers.csv --label left",
    "check": "mlproj check",
    "schema": "mlproj schema > mlproj.schema.json",
    "model": "mlproj model --set model.hidden=64,32",
    "split": "mlproj split --out splits.csv",
    "demo": "mlproj demo",
    "train": "mlproj train --set training.learning_rate=0.01 --set model.hidden=[64,64] --name faster",
    "search": "mlproj search --trials 32 --time-budget 10m",
    "runs": "mlproj runs best --yaml",
    "ui": "mlproj ui --port 5001",
    "record": "mlproj record keras.csv --name keras",
    "predict": "mlproj predict best new.csv --out answers.csv",
    "compare": "mlproj compare best keras.csv",
    "check-metric": 'mlproj check-metric keras.csv --satisfy "recall>=0.95"',
    "evaluate": 'mlproj evaluate best --split test --reason "final check before release"',
    "diagnose bias-variance": "mlproj diagnose bias-variance keras.csv --human 0.01:500",
    "diagnose learning-curve": "mlproj diagnose learning-curve best --target 5% --repeats 5",
    "diagnose doctor": "mlproj diagnose doctor best --ignore shuffled-labels",
    "diagnose features": "mlproj diagnose features best --repeats 20",
    "diagnose mismatch": "mlproj diagnose mismatch best",
    "errors export": "mlproj errors export --n 100 --tags dark,blurry --out errors.xlsx",
    "errors summarize": "mlproj errors summarize errors-anna.xlsx errors-ben.xlsx",
    "errors apply": "mlproj errors apply errors.xlsx --dry-run",
}
OPENING = """\
# project.yaml

A project is one file. Only `name` and `data.source` are required (and `data.label`, unless the source brings its own);
`mlproj init --data FILE --label COLUMN` writes a commented one. Relative paths start from the folder of project.yaml.

```yaml
{example}```

YAML is read by the rules of version 1.2: `1e-5` is a number, `on` and `yes` are text, duplicate keys are errors. Keys
that are not listed below are refused. Any key can be changed for one command: `--set training.learning_rate=0.01`.
`mlproj schema` prints a JSON Schema, with which editors complete and check the file as you type.
"""


def write_reference() -> str:
    """The page on project.yaml: one table per section."""
    example = (HERE / "example.yaml").read_text(encoding="utf-8")
    parse_project(example, Path("project.yaml"))
    rows = reference_rows()
    parts = [NOTE.format(source="the models in mlproj/spec"), OPENING.format(example=example)]
    sections = {section: list(members) for section, members in groupby(rows, lambda row: row.path.partition(".")[0])}
    parts.append(write_table("The project", [row for row, *more in sections.values() if not more]))
    parts += [write_table(section, members) for section, members in sections.items() if len(members) > 1]
    return "\n".join(parts)


def write_table(title: str, rows: Sequence[Row]) -> str:
    """One section: a heading, and a row per key."""
    head = [f"## {title}\n", "| key | allowed | default | |", "|---|---|---|---|"]
    cells = [(f"`{row.path}`", escape(allowed(row)), code(row.default), escape(row.description)) for row in rows]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in cells)]) + "\n"


def allowed(row: Row) -> str:
    """What a key may hold; the long list of metrics is said once."""
    metrics = next(other.type for other in reference_rows() if other.path == "metric.optimize")
    return "a metric, as for `metric.optimize`" if row.type == metrics and row.path != "metric.optimize" else row.type


def escape(text: str) -> str:
    """Text that can stand in a cell of a table."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def code(text: str) -> str:
    """A value in code letters; required stays a word."""
    return text if text in ("", "required") else f"`{text}`"


def walk(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command, in the order of `mlproj --help`."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield words
    for name, child in (inner or {}).items():
        yield from walk(child, (*words, name))


def run(line: str, *, exit_code: int = 0) -> str:
    """What a command prints, both streams together.

    Raises:
        RuntimeError: When it ends with another exit code.
    """
    result = CliRunner(env=PLAIN).invoke(app, line.split(), prog_name="mlproj")
    if result.exit_code != exit_code:
        raise RuntimeError(f"`mlproj {line}` ended with {result.exit_code}: {result.output}") from result.exception
    return result.output.rstrip()


def fence(text: str) -> str:
    """A block of literal text."""
    return f"```text\n{text}\n```\n"


def write_commands() -> str:
    """The page on the commands: each one's help, with an example."""
    parts = [NOTE.format(source="mlproj/cli"), "# Commands\n", fence(run("--help"))]
    parts.append(
        "`--project`, `--json` and `--quiet` are accepted before and after the command. See also the [JSON documents]"
        "(json.md), the [exit codes](errors.md), and [what RUN can be](tracking.md).\n"
    )
    for words in walk(typer.main.get_command(app)):
        name = " ".join(words)
        parts += [f"## mlproj {name}\n", f"```\n{EXAMPLES[name]}\n```\n", fence(run(f"{name} --help"))]
    return "\n".join(parts)


def ladder() -> str:
    """A ladder from rungs given by hand."""
    return fence(f"$ mlproj {LADDER}\n{run(LADDER)}")


def annotators() -> str:
    """A ladder of a predictions file that brings the labels of two people, each a draw from the same uncertainty."""
    rng = np.random.default_rng(1)
    p = rng.beta(0.08, 0.08, 2400)
    people = {name: np.where(rng.random(len(p)) < p, "cat", "dog") for name in ("y_true", "anna", "ben")}
    kept = np.arange(len(p)) < 1800
    seen = np.where(kept, people["y_true"], "")  # half of what was trained on is known by heart
    answer = np.where(
        (rng.random(len(p)) < 0.5) & kept, seen, np.where(p + rng.normal(0, 0.2, len(p)) > 0.5, "cat", "dog")
    )
    table = pd.DataFrame({"id": np.arange(len(p)), "split": np.where(kept, "train", "dev"), "y_pred": answer, **people})
    line = "diagnose bias-variance keras.csv --annotators anna,ben"
    with tempfile.TemporaryDirectory(prefix="mlproj-") as folder, contextlib.chdir(folder):
        table.to_csv("keras.csv", index=False)
        return fence(f"$ mlproj {line}\n{run(line)}")


def general_table() -> str:
    """The table of a project whose target is harder for people and model alike, from labels in a file."""
    rng = np.random.default_rng(2)
    parts = []
    for source, n, people, model in (("app", 3000, 0.09, 0.14), ("web", 6000, 0.03, 0.05)):
        truth = rng.choice(["cat", "dog"], n)
        other = np.where(truth == "cat", "dog", "cat")
        labels = {who: np.where(rng.random(n) < people * k, other, truth) for who, k in (("anna", 1), ("ben", 1.4))}
        answer = np.where(rng.random(n) < model, other, truth)
        ids = [f"{source}-{i}" for i in range(n)]
        parts.append(pd.DataFrame({"id": ids, "x": rng.normal(size=n), "kind": truth, "y_pred": answer, **labels}))
    with tempfile.TemporaryDirectory(prefix="mlproj-") as folder, contextlib.chdir(folder):
        for name, part in zip(("app.csv", "web.csv"), parts, strict=True):
            part[["id", "x", "kind"]].to_csv(name, index=False)
        everything = pd.concat(parts)
        everything[["id", "y_pred"]].to_csv("keras.csv", index=False)
        everything.iloc[::4].melt("id", ["anna", "ben"], "annotator", "label").to_csv("labels.csv", index=False)
        Path("project.yaml").write_text(
            "name: pets\ndata: {source: app.csv, extra: [web.csv], label: kind, id: id}\n"
            "splits: {dev: 800, test: 800, train_dev: 800}\n"
            "human_level: {annotators: labels.csv, label_is: gold}\n",
            encoding="utf-8",
        )
        lines = run("diagnose bias-variance keras.csv").splitlines()
    start = next(row for row, line in enumerate(lines) if "target − training" in line)
    return fence("\n".join(lines[start : start + 4]))


def problems() -> str:
    """The answer to a project with several mistakes."""
    with tempfile.TemporaryDirectory(prefix="mlproj-") as folder:
        (Path(folder) / "project.yaml").write_text(BROKEN, encoding="utf-8")
        printed = run(f"--project {folder} check", exit_code=2).replace(f"{folder}/", "")
    return f"```yaml\n{BROKEN}```\n\n{fence(f'$ mlproj check{chr(10)}{printed}')}"


def twins() -> str:
    """The public names with their first sentences."""
    rows = ["| name | |", "|---|---|"]
    for name in mlproj.__all__:
        if not name.startswith("_"):
            sentence = (getattr(mlproj, name).__doc__ or "").strip().splitlines()[0]
            rows.append(f"| `mlproj.{name}` | {escape(sentence)} |")
    return "\n".join(rows) + "\n"


@cache
def record() -> dict[str, str]:
    """Screens of real runs: the demo, and the first project of the page `start.md`."""
    with tempfile.TemporaryDirectory(prefix="mlproj-") as name:
        home = Path(name)
        demo = listen("demo", home)
        cancer = ROOT / "projects" / "breast-cancer"
        runpy.run_path(str(cancer / "make_data.py"))["generate"](home / "tumours")
        screens = {"init": listen("init tumours --data tumours/breast_cancer.csv --label diagnosis", home)}
        edited = (cancer / "project.yaml").read_text(encoding="utf-8").replace("breast-cancer", "tumours", 1)
        (home / "tumours" / "project.yaml").write_text(edited, encoding="utf-8")
        for line in ("check", "train --name first", "diagnose bias-variance", "search"):
            screens[line.split()[0]] = listen(line, home / "tumours")
        screens["doctor"] = listen("diagnose doctor first", home / "tumours")
        screens["choosing"] = _block(listen("diagnose bias-variance search-1", home / "tumours"), "Choosing on dev")
        screens["seeds"] = listen("train --like first --seeds 5 --name five", home / "tumours")
        screens["recipe"] = _block(
            listen("diagnose bias-variance five", home / "tumours"), "gap ", "\n\nChoosing on dev"
        )
        screens["features"] = listen("diagnose features first", home / "tumours")
        short = "train --set model.width=8 --set training.epochs=5 --name short"
        for line in (short, "train --name longer", "diagnose bias-variance longer --series"):
            screens["series"] = listen(line, home / "tumours")
    halves = demo.partition("== mlproj-demo/blurry-digits")
    return screens | {"demo": halves[1] + halves[2]}


def _block(screen: str, start: str, end: str = "\n\n") -> str:
    """The part of a screen that begins with some words, up to others."""
    return start + screen.partition(f"\n{start}")[2].partition(end)[0].rstrip()


def listen(line: str, folder: Path) -> str:
    """What a command prints as a process of its own in a folder."""
    command = [sys.executable, "-m", "mlproj", *line.split()]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, env=os.environ | PLAIN)
    return done.stdout.rstrip()


PAGES: dict[str, Callable[[], str]] = {"project-file.md": write_reference, "commands.md": write_commands}
BLOCKS: dict[str, Callable[[], str]] = {
    "ladder": ladder,
    "annotators": annotators,
    "general-table": general_table,
    "problems": problems,
    "twins": twins,
}


def wanted(*, anew: bool) -> dict[Path, str]:
    """Every file with generated parts, as it should be.

    Args:
        anew: Whether to run the recorded screens again.
    """

    def fill(found: re.Match[str]) -> str:
        head, kind, name, end = found.groups()
        if kind == "generated":
            return f"{head}{BLOCKS[name]()}{end}"
        return f"{head}{fence(record()[name])}{end}" if anew else found[0]

    texts = {HERE / name: write() for name, write in PAGES.items()}
    for path in [*HERE.rglob("*.md"), ROOT / "README.md"]:
        if path not in texts:
            texts[path] = BLOCK.sub(fill, path.read_text(encoding="utf-8"))
    return texts


def main() -> None:
    """Writes what differs, or with --check names it and fails."""
    asked = set(sys.argv[1:])
    texts = wanted(anew="--record" in asked)
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if "--check" in asked:
            print(f"{path.relative_to(ROOT)} is not what the code says; run `make docs-pages`")
        else:
            path.write_text(texts[path], encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    sys.exit(1 if stale and "--check" in asked else 0)


if __name__ == "__main__":
    main()
