"""Metrics with example weights, thresholds, and contracts: one metric to optimise, limits for the others.

Pure functions of records, NumPy only, with leading axes where that is natural.
"""

from mlproj.metrics.averaging import average as average
from mlproj.metrics.confusion import ClassRow as ClassRow
from mlproj.metrics.confusion import confusion as confusion
from mlproj.metrics.confusion import per_class as per_class
from mlproj.metrics.constant import Constant as Constant
from mlproj.metrics.constant import best_constant as best_constant
from mlproj.metrics.contract import choose_best as choose_best
from mlproj.metrics.contract import is_feasible as is_feasible
from mlproj.metrics.contract import rank_key as rank_key
from mlproj.metrics.estimates import estimate as estimate
from mlproj.metrics.evidence import metric_problem as metric_problem
from mlproj.metrics.paired import Paired as Paired
from mlproj.metrics.paired import paired_difference as paired_difference
from mlproj.metrics.promises import promises as promises
from mlproj.metrics.scores import as_loss as as_loss
from mlproj.metrics.scores import measure as measure
from mlproj.metrics.scores import score as score
from mlproj.metrics.scores import score_many as score_many
from mlproj.metrics.threshold import choose_threshold as choose_threshold
from mlproj.metrics.threshold import needs_threshold as needs_threshold
