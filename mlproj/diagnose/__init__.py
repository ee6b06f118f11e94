"""Where the errors come from: rungs with intervals, the gaps between them, and a verdict. NumPy only."""

from mlproj.diagnose.ladder import build_ladder as build_ladder
from mlproj.diagnose.ladder import ladder_of as ladder_of
from mlproj.diagnose.render import render_text as render_text
from mlproj.diagnose.render import to_document as to_document
from mlproj.diagnose.rungs import GivenRung as GivenRung
from mlproj.diagnose.rungs import parse_rung as parse_rung
from mlproj.diagnose.rungs import parse_rungs as parse_rungs
