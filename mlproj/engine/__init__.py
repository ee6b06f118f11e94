"""Where trainings run: in this process (`Here`), or in a pool of worker processes (`Pool`).

Both take jobs one by one and hand out each result as it comes; a training that fails is a `Failure`, and the rest goes
on:

    with make_engine("auto", dataset, None) as engine:
        for position, result in engine.evaluate(jobs):
            ...

Nothing here imports torch into the process that hands out the jobs.
"""

from mlproj.engine.choice import CREW as CREW
from mlproj.engine.choice import engine_problems as engine_problems
from mlproj.engine.choice import make_engine as make_engine
from mlproj.engine.choice import warm_up as warm_up
from mlproj.engine.engine import AbstractEngine as AbstractEngine
from mlproj.engine.engine import cpu_count as cpu_count
from mlproj.engine.here import Here as Here
from mlproj.engine.pool import Pool as Pool
