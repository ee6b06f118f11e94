"""The exception tree: every error that a user can cause or must act on.

Each message names the field or file, the value found, what is allowed and the next step, because it is printed as it
stands, without a traceback. The command line turns `InputError` into exit code 2 and every other `MlprojError` into 1.
"""

from collections.abc import Iterable
from dataclasses import dataclass


class MlprojError(Exception):
    """Something went wrong that mlproj can explain."""


class InputError(MlprojError):
    """The user's input (usage, spec or data) is wrong; nothing was started."""


class SealedSplit(InputError):
    """The test set was asked for; only `mlproj evaluate` opens it."""


class RunNotFound(InputError):
    """No run answers to the name, id or prefix that was given."""


class TrackingError(MlprojError):
    """The run store could not be opened, read or written."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the user's input.

    Attributes:
        where: The place: a dotted path such as ``data.label``, or a file and row such as ``app.csv row 17``.
        message: What is wrong: the value found and what is allowed.
        hint: The next step; may be empty.
        file: The file that holds `where`, as the user would name it; empty for a command-line argument.
        line: Line in `file`, counted from 1; None when there is none to name.
    """

    where: str
    message: str
    hint: str = ""
    file: str = ""
    line: int | None = None

    def __str__(self) -> str:
        """One or two lines: place, message, next step.

        Example:
            >>> hint = "Did you mean `classification`?"
        >>> print(Problem("task", "'clasification' is not known", hint, "project.yaml", 2))
            project.yaml:2: task: 'clasification' is not known
              Did you mean `classification`?
        """
        place = ":".join(part for part in (self.file, str(self.line or "")) if part)
        head = ": ".join(part for part in (place, self.where, self.message) if part)
        return f"{head}\n  {self.hint}" if self.hint else head


class InvalidInput(InputError):
    """One or more problems with the spec or the data, reported in one go."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
