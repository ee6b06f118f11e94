"""A predictions file that grows: answers are appended to a temporary file, which takes its name when all are written.

with Sink(Path("out.csv"), classes={"": ("no", "yes")}) as sink:
    sink.write(ids, answers)
    sink.commit()
"""

import contextlib
import json
import os
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlproj.errors import InvalidInput, Problem
from mlproj.records.loading import SCHEMA_KEY, SUFFIXES

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class Sink:
    """Where answers go. Nothing is left behind unless `commit` is reached.

    Args:
        out: The file, .csv or .parquet.
        classes: Class names by label, none for a quantity; a single label is called "".
    """

    def __init__(self, out: Path, classes: Mapping[str, tuple[str, ...]]) -> None:
        self._out = out.resolve()  # what a symbolic link points to is replaced, not the link
        self._temporary = self._out.with_name(f".{self._out.name}-{os.getpid()}.tmp")
        self.schema = _schema(classes)
        self._writer: Any = None

    def __enter__(self) -> "Sink":
        from pyarrow import csv, parquet

        if self._out.suffix.lower() == ".csv":
            options = csv.WriteOptions(quoting_style="needed")
            self._writer = csv.CSVWriter(str(self._temporary), self.schema, write_options=options)
        else:
            self._writer = parquet.ParquetWriter(str(self._temporary), self.schema, compression="zstd")
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):  # a full disk was reported by the write that met it
            self._writer.close()
        with contextlib.suppress(OSError):
            self._temporary.unlink()

    def write(self, ids: "pa.Array", answers: "pd.DataFrame") -> None:
        """Appends rows.

        Args:
            ids: Names of the rows (N).
            answers: Their answers (N rows), in the order of the file's columns; a missing one becomes an empty cell.
        """
        import pyarrow as pa

        kinds = {field.name: field.type for field in self.schema}
        arrays = [pa.array(answers[name], type=kind, from_pandas=True) for name, kind in kinds.items() if name != "id"]
        self._writer.write_table(pa.Table.from_arrays([ids.cast(pa.string()), *arrays], schema=self.schema))

    def commit(self) -> None:
        """Gives the file its name, over an earlier one."""
        self._writer.close()
        self._temporary.replace(self._out)


def check_out(out: Path, source: str) -> None:
    """Whether answers may be written to a path: never over the rows they are for, nor over what is something else.

    Args:
        out: The path.
        source: The file that the rows come from.

    Raises:
        InvalidInput: When they may not.
    """
    problem = hint = ""
    if out.suffix.lower() not in SUFFIXES:
        problem = f"{out} ends in {out.suffix}" if out.suffix else f"{out} has no suffix"
        hint = f"Answers are written as .csv or .parquet, for example `--out {out.with_suffix('.csv')}`."
    elif out.is_dir():
        problem, hint = f"{out} is a folder", f"Name a file in it, for example `--out {out / 'answers.csv'}`."
    elif not out.parent.is_dir():
        problem, hint = f"the folder {out.parent} does not exist", "Make it first, or name another."
    elif _belongs_to(out, Path(source).expanduser()):
        problem, hint = f"{out} is part of what is read", "Name another file, so that your rows are kept."
    elif out.exists() and not is_answers(out):
        problem, hint = (
            f"{out} is there already and holds no answers of a model",
            "Name another file, so that it is kept.",
        )
    if problem:
        raise InvalidInput([Problem("--out", problem, hint)])


def is_answers(file: Path) -> bool:
    """Whether a file has the columns that `predict --out` writes: an id, then answers and nothing else."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    try:
        if file.suffix.lower() == ".csv":
            with csv.open_csv(file) as reader:
                names = reader.schema.names
        else:
            names = parquet.read_schema(file).names
    except (OSError, pa.ArrowException):
        return False
    answers = names[1:]
    return names[:1] == ["id"] and bool(answers) and all(n.startswith(("y_pred", "p_", "p:")) for n in answers)


def _belongs_to(out: Path, source: Path) -> bool:
    """Whether writing a file would change what a source reads: it is the file, or one of its folder or pattern."""
    with contextlib.suppress(OSError):
        if out.samefile(source):
            return True
    resolved = out.resolve()
    return resolved.is_relative_to(source.resolve()) or fnmatch(str(resolved), str(source.resolve()))


def _schema(classes: Mapping[str, tuple[str, ...]]) -> "pa.Schema":
    import pyarrow as pa

    from mlproj.track.model import name_outputs

    kinds = {"string": pa.string(), "double": pa.float64()}
    named = tuple(names for names in classes.values() if names)
    fields = {name: kinds[kind] for name, kind in name_outputs(tuple(classes), named).items()}
    schema = {label: list(names) for label, names in classes.items()}
    return pa.schema({"id": pa.string(), **fields}, metadata={SCHEMA_KEY: json.dumps(schema).encode("utf-8")})
