"""Many models at once: jobs that go together are trained side by side in one stack, the others alone.

Names are loaded when they are first used: who plans the work needs no torch for that.
"""

from typing import TYPE_CHECKING

from mlproj.lazy import names_of

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
__getattr__ = names_of(__name__, {name: f".{home}" for name, home in _HOMES.items()})
