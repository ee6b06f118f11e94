"""The pages of docs/benchmarks/, written from the results that lie beside them.

python benchmarks/bench_page.py        write them anew, without measuring
"""

import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from contenders.growth import BATCH_OF_ROWS, FOREIGN, N_COLUMNS
from contests import ALONE, AUTO, CREW, FIT, FLEET, OPTUNA, PLAIN, SKLEARN
from rounds import Round, Spread, ratios, values
from targets import cases, targets
from task import flops_per_epoch, perceptron

PAGES = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"
PROFILE = "search_profile.py"
_WHY = """
Where the time of a search and of a warm training goes, stage by stage, and how much of it is out of reach: see the
profile under [further measurements](#further-measurements).
"""
LIST = "<!-- reports: written by `make bench` -->\n", "<!-- end of reports -->\n"
Rounds = Sequence[Round]
_ONE = """## One training

20 epochs of 23 updates on the digits. Seconds without imports; *later* is the faster of two more in the same process.
`mlproj.train` also reads and deals the data, measures resources, and stores run, predictions and model; the others
train and look at dev, and have the data in memory.

"""
_ONE_WHOLE = """
From start to exit, imports and all, one training each; the project and its store are there:

"""
_MANY = """## A search of 64 trials

Learning rate and weight decay on a logarithm, dropout, width 32, 64, 96 or 128; 20 epochs each. mlproj tracks every
trial and closes in on the best in a second round of half the trials; the others draw at random and track nothing.
scikit-learn has no dropout and looks at dev once. What starts workers counts, and for mlproj whatever it imports after
`import mlproj`. The best of 64 on the same 360 examples is flattered for all alike; one example is 0.0028.

"""
_MEMBERS = """**Members of a fleet**, 64-64-64-10, on one core. The share of the peak counts the products that
training needs (forward, and backward without the gradient of the inputs) and no look at dev.

"""
_TRIED = "!!! warning\n    Everything was only tried, at a size that says nothing: no figure here means anything.\n\n"
Row = Sequence[str]


def write_pages(folder: Path) -> None:
    """Writes a page for each results file in a folder, and names the pages in its index."""
    files = sorted(folder.glob("20*.json"), reverse=True)
    for file in files:
        page = report(json.loads(file.read_text(encoding="utf-8")), file.name)
        file.with_suffix(".md").write_text(page, encoding="utf-8")
    index = folder / "index.md"
    if index.is_file():
        index.write_text(with_list(index.read_text(encoding="utf-8"), folder), encoding="utf-8")


def with_list(index: str, folder: Path) -> str:
    """The index with the reports that lie in its folder, newest first."""
    head, rest = index.split(LIST[0])
    lines = []
    for file in sorted(folder.glob("20*.json"), reverse=True):
        found = json.loads(file.read_text(encoding="utf-8"))
        reached = [target.verdict for target in targets(found["contests"])]
        said = f"{reached.count('met')} of {len(reached)} targets met"
        lines.append(f"* [{found['date']}]({file.stem}.md): {found['machine']['processor']}, {said}\n")
    return head + LIST[0] + "".join(lines or ["None yet.\n"]) + LIST[1] + rest.split(LIST[1])[1]


def report(results: Mapping[str, Any], source: str) -> str:
    """The page of one day.

    Args:
        results: What `bench.py` stored.
        source: Name of the file that holds them.
    """
    contests = results["contests"]
    parts = [
        _head(results, source),
        _reached(contests, results["texts"]),
        one_training(contests),
        many_trainings(contests),
        growth(contests),
        *_texts(results["texts"]),
        _left_out(results["notes"]),
    ]
    return "\n".join(part for part in parts if part)


def _head(results: Mapping[str, Any], source: str) -> str:
    machine, peak = results["machine"], peaks(results["contests"])
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    commands = ", ".join(f"`{command}`" for command in dict.fromkeys(results["commands"]))
    matrix = ", ".join(f"{value:,.0f} GFLOP/s with {n} thread{'s' if n > 1 else ''}" for n, value in peak.items())
    return f"""# Benchmarks of {results["date"]}

<!-- written by `make bench`; figures in {source} -->

{machine["processor"]}, {machine["cores"]} cores, {machine["system"]}. {versions}.
mlproj at commit {results["revision"]}; {commands}, {results["minutes"]:g} minutes.
{f"Products of float32 matrices reach {matrix}." if matrix else ""}

{_TRIED if results["is_quick"] else ""}Every figure is the median of rounds, with the smallest and the largest
in brackets. In a round each contender runs once, as a process of its own, one after the other; ratios are taken within
a round. [How it is measured](index.md).
"""


def _reached(contests: Mapping[str, Rounds], texts: Mapping[str, str]) -> str:
    rows = [
        [
            target.text,
            f"at most {target.most:g}{target.unit}",
            f"{target.found.text(3)}{target.unit}" if target.found else "",
            f"**{target.verdict}**" if target.verdict == "missed" else target.verdict,
        ]
        for target in targets(contests)
    ]
    why = _WHY if texts.get(PROFILE) else ""
    return "## Targets\n\n" + table(["", "target", "measured", ""], rows) + why


def one_training(contests: Mapping[str, Rounds]) -> str:
    """The part about one training."""
    inside, whole = contests.get("one_inside", ()), contests.get("one_whole", ())
    if not inside and not whole:
        return ""
    first, warm = (_to(inside, PLAIN, measure) for measure in ("cold", "warm"))
    peak = peaks(contests).get(1)
    head = ["in one process", "first, s", "to plain", "later, s", "to plain", "share of the peak of a core, later",
            "dev error", "others"]  # fmt: skip
    rows = [
        [name, _text(inside, name, "cold", 3), first(name), _text(inside, name, "warm", 3), warm(name),
         _reach(inside, name, "warm", peak),
         _text(inside, name, "error", 3, is_short=True), _text(inside, name, "others", 2, is_short=True)]
        for name in names(inside)
    ]  # fmt: skip
    return _ONE + table(head, rows) + _ONE_WHOLE + _whole(whole, PLAIN, "plain")


def many_trainings(contests: Mapping[str, Rounds]) -> str:
    """The part about the search."""
    rounds = contests.get("many", ())
    if not rounds:
        return ""
    to_plain, to_sklearn = _to(rounds, OPTUNA, "within"), _to(rounds, SKLEARN, "within")
    peak = peaks(contests).get(2)
    head = ["without imports", "s", "to plain", "to scikit-learn", "share of the peak of two cores", "best dev error",
            "others"]  # fmt: skip
    rows = [
        [name, _text(rounds, name, "within", 2), to_plain(name), to_sklearn(name),
         _reach(rounds, name, "within", peak),
         _text(rounds, name, "error", 4), _text(rounds, name, "others", 2, is_short=True)]
        for name in names(rounds, "within")
    ]  # fmt: skip
    return _MANY + table(head, rows) + "\nFrom start to exit:\n\n" + _whole(rounds, OPTUNA, "plain")


def growth(contests: Mapping[str, Rounds]) -> str:
    """The part about larger fleets, wider layers and more rows."""
    parts = [
        _members(contests.get("members", ()), peaks(contests).get(1)),
        _trials(contests.get("trials", ())),
        _widths(contests.get("width", ()), peaks(contests).get(2)),
        _rows(contests.get("rows", ()), peaks(contests).get(1)),
        _memory(contests.get("memory", ())),
    ]
    return "## How it grows\n\n" + "\n".join(part for part in parts if part) if any(parts) else ""


def _members(rounds: Rounds, peak: float | None) -> str:
    if not rounds:
        return ""
    work = flops_per_epoch(*perceptron(64))
    rows = []
    for case in cases(rounds):
        seconds = Spread.of(values(rounds, CREW, case))
        rows.append([case, _scaled(rounds, CREW, case, 1e3), _ratio(rounds, (CREW, case), (PLAIN, "1")),
                     share(work, seconds, peak)])  # fmt: skip
    plain = Spread.of(values(rounds, PLAIN, "1"))
    rows.append(["plain loop", _scaled(rounds, PLAIN, "1", 1e3), "1", share(work, plain, peak)])
    return _MEMBERS + table(["members", "ms per member and epoch", "to the plain loop", "share of the peak"], rows)


def _trials(rounds: Rounds) -> str:
    rows = [
        [name, *(_text(rounds, name, measure, 2) for measure in ("within", "wall")), _text(rounds, name, "error", 4)]
        for name in names(rounds)
    ]
    head = ["", "s without imports", "s whole process", "best dev error"]
    return "**Trials of a search**\n\n" + table(head, rows) if rounds else ""


def _widths(rounds: Rounds, peak: float | None) -> str:
    if not rounds:
        return ""
    rows = []
    for case in cases(rounds):
        seconds = Spread.of(values(rounds, AUTO, case))
        reached = share(flops_per_epoch(*perceptron(int(case))), seconds, peak) if case.isdigit() else ""
        rows.append([case, *(_scaled(rounds, name, case, 1e3) for name in (ALONE, AUTO, FLEET)),
                     *(_ratio(rounds, (name, case), (ALONE, case)) for name in (AUTO, FLEET)), reached])  # fmt: skip
    return (
        "**Width of the layers**: the same jobs on each engine, whose workers are there already; milliseconds per "
        f"training and epoch. The {FOREIGN} has layer normalisation and GELU.\n\n"
        + table(["width", "one by one", "auto", "fleet", "auto to one by one", "fleet to one by one",
                 "share of the peak of two cores, auto"], rows)
    )  # fmt: skip


def _rows(rounds: Rounds, peak: float | None) -> str:
    rows = []
    for case in cases(rounds):
        work = flops_per_epoch(N_COLUMNS, 64, 64, 1, n=int(0.8 * int(case)))
        rows.append([f"{int(case):,}", _scaled(rounds, PLAIN, case, 1e3), _scaled(rounds, FIT, case, 1e3),
                     _ratio(rounds, (FIT, case), (PLAIN, case)),
                     share(work, Spread.of(values(rounds, FIT, case)), peak),
                     *(_text(rounds, name, f"{case}/error", 3, is_short=True) for name in (PLAIN, FIT))])  # fmt: skip
    head = ["rows", "plain loop", FIT, "ratio", "share of the peak", "dev error, plain", "dev error, fit"]
    return (
        f"**Rows**: one training, {N_COLUMNS} made-up columns, batch {BATCH_OF_ROWS}, on one core; milliseconds "
        "per epoch, looks at dev included.\n\n" + table(head, rows)
        if rounds
        else ""
    )


def _memory(rounds: Rounds) -> str:
    peak, members = Spread.of(values(rounds, "fleet", "peak")), Spread.of(values(rounds, "fleet", "members"))
    if not peak or not members:
        return ""
    return (
        f"**Memory**: a process that trains {members.middle:.0f} perceptrons of width 128 side by side holds "
        f"{peak.text(0)} MB at most.\n"
    )


def _texts(texts: Mapping[str, str]) -> Iterable[str]:
    said = {script: text for script, text in texts.items() if text}
    if said:
        yield "## Further measurements\n"
    for script, text in said.items():
        yield f"`benchmarks/{script}`\n\n```text\n{text}\n```\n"


def _left_out(notes: Mapping[str, Sequence[str]]) -> str:
    lines = dict.fromkeys(note for some in notes.values() for note in some)
    return "## Left out, or measured at another time\n\n" + "".join(f"* {line}\n" for line in lines) if lines else ""


# ---------------------------------------------------------------- pieces


def peaks(contests: Mapping[str, Rounds]) -> dict[int, float]:
    """The largest rate of matrix products that was seen, by number of threads, in GFLOP/s."""
    found = {n: values(contests.get("peak", ()), "peak", f"gflops_{n}") for n in (1, 2)}
    return {n: max(rates) for n, rates in found.items() if rates}


def share(work: float, seconds: Spread | None, peak: float | None) -> str:
    """The share of the peak that some work reached.

    Args:
        work: Multiplications and additions.
        seconds: How long they took.
        peak: The peak in GFLOP/s.

    Example:
        >>> share(5e9, Spread.of([0.1]), 100.0)
        '50 %'
    """
    return f"{100 * work / seconds.middle / 1e9 / peak:.0f} %" if seconds and peak else ""


def _reach(rounds: Rounds, name: str, seconds: str, peak: float | None) -> str:
    """The share of the peak that the work of a contender reached, round by round."""
    per_second = ratios(rounds, (name, "gflop"), (name, seconds))
    return f"{100 * statistics.median(per_second) / peak:.0f} %" if per_second and peak else ""


def names(rounds: Rounds, measure: str = "wall") -> list[str]:
    """Contenders of which something was measured, in the order of the first round that has each."""
    order = max(rounds, key=len, default={})
    every = dict.fromkeys([*order, *(name for one in rounds for name in one)])
    return [name for name in every if values(rounds, name, measure)]


def table(head: Row, rows: Iterable[Row]) -> str:
    """A table in Markdown.

    Example:
        >>> print(table(["a", "b"], [["x", "1"]]), end="")
        | a | b |
        |---|---|
        | x | 1 |
    """
    lines = [head, ["---"] * len(head), *rows]
    texts = ["| " + " | ".join(line) + " |\n" for line in lines]
    texts[1] = "|" + "---|" * len(head) + "\n"
    return "".join(texts)


def _whole(rounds: Rounds, base: str, title: str) -> str:
    ratio = _to(rounds, base, "wall")
    head = ["whole process", "s", f"to {title}", "CPU s", "peak MB", "dev error", "others"]
    rows = [
        [name, _text(rounds, name, "wall", 2), ratio(name), _text(rounds, name, "cpu", 2),
         _text(rounds, name, "peak", 0, is_short=True), _text(rounds, name, "error", 4, is_short=True),
         _text(rounds, name, "others", 2, is_short=True)]
        for name in names(rounds)
    ]  # fmt: skip
    return table(head, rows)


def _to(rounds: Rounds, base: str, measure: str) -> Callable[[str], str]:
    return lambda name: _ratio(rounds, (name, measure), (base, measure))


def _ratio(rounds: Rounds, above: tuple[str, str], below: tuple[str, str]) -> str:
    spread = Spread.of(ratios(rounds, above, below))
    return "" if spread is None else "1" if above == below else spread.text(3 if spread.middle < 0.2 else 2)


def _text(rounds: Rounds, name: str, measure: str, digits: int, *, is_short: bool = False) -> str:
    spread = Spread.of(values(rounds, name, measure))
    if spread is None:
        return ""
    return f"{spread.middle:,.{digits}f}" if is_short else spread.text(digits)


def _scaled(rounds: Rounds, name: str, measure: str, factor: float) -> str:
    spread = Spread.of([factor * value for value in values(rounds, name, measure)])
    return "" if spread is None else spread.text(2)


if __name__ == "__main__":
    write_pages(PAGES)
