"""Many models at once: jobs that go together are trained side by side in one stack, the others alone."""

from mlproj.fleet.crew import OnFleetEpoch as OnFleetEpoch
from mlproj.fleet.crew import train_crew as train_crew
from mlproj.fleet.groups import shape_of as shape_of
from mlproj.fleet.plan import Planner as Planner
from mlproj.fleet.shelf import Shelf as Shelf
