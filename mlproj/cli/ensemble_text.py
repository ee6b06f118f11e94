"""An ensemble in words: its models, and how much they were chosen."""

from collections.abc import Mapping
from typing import Any

from mlproj.cli.tables import table
from mlproj.cli.text import figure

_MEMBERS = 12
"""Models of an ensemble shown one by one; of more the first."""


def ensemble_text(ensemble: Mapping[str, Any]) -> str:
    """The models of an ensemble, how they do alone, and what to keep in mind.

    Args:
        ensemble: `ensemble` of the JSON document of `mlproj train --ensemble`.
    """
    metric, split = ensemble["metric"], ensemble["split"]
    rows = [(row["name"], figure(metric, row["value"])) for row in ensemble["members"][:_MEMBERS]]
    more = len(ensemble["members"]) - len(rows)
    lines = [table(("alone", f"{split} {metric}"), rows, right=(1,))]
    lines += [f"… and {more} more"] if more else []
    return "\n".join([*lines, *(f"note: {note}" for note in ensemble["notes"])])
