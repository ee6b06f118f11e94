"""Many models at once: jobs that go together are trained side by side in one stack, the others alone.

Names are loaded when they are first used: who plans the work needs no torch for that.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlproj.fleet.crew import OnFleetEpoch as OnFleetEpoch
    from mlproj.fleet.crew import train_crew as train_crew
    from mlproj.fleet.crew import train_crew_together as train_crew_together
    from mlproj.fleet.groups import shape_of as shape_of
    from mlproj.fleet.keeper import StackKeeper as StackKeeper
    from mlproj.fleet.plan import Planner as Planner
    from mlproj.fleet.shelf import Shelf as Shelf

_HOMES = {
    "OnFleetEpoch": "crew", "train_crew": "crew", "train_crew_together": "crew", "shape_of": "groups",
    "StackKeeper": "keeper", "Planner": "plan", "Shelf": "shelf",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
