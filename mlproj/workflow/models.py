"""The stored model of a run, ready to answer for raw rows."""

from typing import TYPE_CHECKING

from mlproj.errors import InputError, TrackingError
from mlproj.records import Run
from mlproj.workflow.runs import speak

if TYPE_CHECKING:
    from mlproj.pyfunc import ProjectModel
    from mlproj.track import AbstractTracker


def load_model(tracker: "AbstractTracker", run: Run, *, hint: str = "") -> "ProjectModel":
    """The model that a run holds.

    Args:
        tracker: Where the run lies.
        run: The run.
        hint: What to do when it holds none.

    Raises:
        InputError: When it holds none, or one that cannot be read.
    """
    hint = hint or "Name a training that finished: mlproj runs"
    try:
        folder = tracker.fetch(run.id, "model")
    except TrackingError:
        state = f"{run.kind}, {run.outcome or run.status.lower()}"
        if run.kind == "trial":
            hint = "A search keeps the models of those that could be the best; `search.keep: all` keeps all."
        raise InputError(f"{speak(run)} holds no model ({state}). {hint}") from None
    from safetensors import SafetensorError

    from mlproj.pyfunc import ProjectModel
    from mlproj.track.model import read_model_data

    try:
        return ProjectModel(read_model_data(folder / "data"))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        reason = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
        raise InputError(f"The model of {speak(run)} cannot be read ({reason}). {hint}") from None
