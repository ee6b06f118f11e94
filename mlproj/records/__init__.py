"""What travels between rooms: predictions, histories, outcomes, fits, runs and ladders. NumPy and plain data, no torch.

A `Fit` is all that came out of a training; a `Run` is a fit that lies in the store; a `Ladder` is computed from
predictions alone, ours or a foreign framework's.
"""

from mlproj.records.curve import Anchor as Anchor
from mlproj.records.curve import Band as Band
from mlproj.records.curve import CurveFit as CurveFit
from mlproj.records.curve import CurveState as CurveState
from mlproj.records.curve import Extrapolation as Extrapolation
from mlproj.records.curve import LearningCurve as LearningCurve
from mlproj.records.curve import Probe as Probe
from mlproj.records.curve import Reach as Reach
from mlproj.records.features import FeatureReport as FeatureReport
from mlproj.records.features import FeatureState as FeatureState
from mlproj.records.features import Importance as Importance
from mlproj.records.features import LeakSuspect as LeakSuspect
from mlproj.records.fit import ENSEMBLE as ENSEMBLE
from mlproj.records.fit import SEEDS as SEEDS
from mlproj.records.fit import Fit as Fit
from mlproj.records.fit import History as History
from mlproj.records.fit import Outcome as Outcome
from mlproj.records.fit import OutcomeKind as OutcomeKind
from mlproj.records.fit import Promise as Promise
from mlproj.records.fit import Run as Run
from mlproj.records.job import Evaluate as Evaluate
from mlproj.records.job import Failure as Failure
from mlproj.records.job import Job as Job
from mlproj.records.job import OnRung as OnRung
from mlproj.records.job import describe as describe
from mlproj.records.ladder import Gap as Gap
from mlproj.records.ladder import Ladder as Ladder
from mlproj.records.ladder import Remedy as Remedy
from mlproj.records.ladder import Rung as Rung
from mlproj.records.ladder import Verdict as Verdict
from mlproj.records.predictions import SEEN_SPLITS as SEEN_SPLITS
from mlproj.records.predictions import SPLITS as SPLITS
from mlproj.records.predictions import Answers as Answers
from mlproj.records.predictions import Predictions as Predictions
from mlproj.records.predictions import SplitName as SplitName
from mlproj.records.predictions import Texts as Texts
from mlproj.records.series import Entry as Entry
from mlproj.records.series import GapChange as GapChange
from mlproj.records.series import Series as Series
