"""`check` on whole projects: what it says, what it keeps to itself, and that it writes nothing."""

from pathlib import Path

import numpy as np
import pandas as pd

from mlproj.data.examine import CheckReport, examine
from mlproj.errors import InvalidInput
from mlproj.spec.goal import MetricSpec
from mlproj.spec.project import Project
from tests_data import Build  # type: ignore[import-not-found]
