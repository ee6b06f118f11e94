"""Learning curves: what was measured by training size, whether it may be extrapolated, and what that says.

`judge_curve` turns trainings into a `LearningCurve`; NumPy only, nothing here trains or reads files.
"""

from mlproj.diagnose.curve.document import curve_document as curve_document
from mlproj.diagnose.curve.judge import Asked as Asked
from mlproj.diagnose.curve.judge import judge_curve as judge_curve
from mlproj.diagnose.curve.render import render_curve as render_curve
