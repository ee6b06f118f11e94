"""The rules that every part of a project obeys: frozen, no unknown keys, no silent conversion, every key described."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class Spec(BaseModel):
    """A part of project.yaml. Docstrings under the fields are their descriptions in schema, docs and `mlproj init`."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        validate_default=True,
    )


@dataclass(frozen=True)
class Words:
    """What a field allows, in plain words, where its type does not say it; stands among the field's annotations."""

    phrases: tuple[str, ...]


Name = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Name, ...], Field(strict=False)]
"""Several names; strict=False lets Python code hand in a list, as YAML does."""

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]


def form_of(value: Any) -> str:
    """Which form of a field was written, so that only the errors of that form are reported.

    The names are tags of pydantic unions; the brackets keep them apart from keys of project.yaml.

    Example:
        >>> form_of({"path": "app.csv"}), form_of(["a", "b"]), form_of(0.5)
        ('(mapping)', '(list)', '(scalar)')
    """
    if isinstance(value, dict | Spec):
        return "(mapping)"
    return "(list)" if isinstance(value, list | tuple) else "(scalar)"


def word_or_number(value: Any) -> str:
    """Whether a field that takes either was given a word or a number.

    Example:
        >>> word_or_number("auto"), word_or_number(64)
        ('(word)', '(number)')
    """
    return "(word)" if isinstance(value, str) else "(number)"
