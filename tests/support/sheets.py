"""Sheets as they go out and come back: a small export, and files in which somebody wrote."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from mlproj.error_analysis import Example, Manifest, Stratum
from mlproj.error_analysis.write import make_page, write_page

IDS = ("007", "1-2", "12345678901234567890", "plain")
CLASSES = ("cat", "dog", "True")


def make_manifest(
    ids: Sequence[str] = IDS, *, classes: Sequence[str] = CLASSES, tags: Sequence[str] = ("dark", "blurry"), y: str = ""
) -> Manifest:
    """An export in which each id is an error: cat taken for dog; without classes numbers, with the truth `y`."""
    task: Literal["classification", "regression"] = "classification" if classes else "regression"
    truth, answer = (y or classes[0], classes[1]) if classes else (y or "12.5", "10")
    examples = {name: Example(name, truth, answer, 1.25, "error") for name in ids}
    strata = {"error": Stratum(2 * len(ids), len(ids))}
    return Manifest(
        "sheet-bcdfghjk", "", "keras.csv", "dev", "errors", "all", task, "", tuple(classes), 100, 0.1, strata, examples,
        tuple(tags),
    )  # fmt: skip


def header(manifest: Manifest) -> list[str]:
    """The columns of its sheet."""
    return list(make_page(manifest, [], p_pred={}, originals={}, tags=manifest.tags).header)


def write(manifest: Manifest, path: Path, said: Mapping[str, Mapping[str, str]], *, reviewer: str = "") -> Path:
    """Its sheet with what was said by id and column."""
    examples = list(manifest.examples.values())
    page = make_page(manifest, examples, p_pred={}, originals={}, tags=manifest.tags, reviewer=reviewer)
    rows = [
        tuple(said.get(example.id, {}).get(name, text) for name, text in zip(page.header, row, strict=True))
        for example, row in zip(examples, page.rows, strict=True)
    ]
    write_page(type(page)(page.header, tuple(rows)), path, classes=manifest.classes)
    return path
