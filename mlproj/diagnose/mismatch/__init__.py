"""How two sets differ, and what their gap is made of: judges of arrays and small records."""

from mlproj.diagnose.mismatch.conclude import conclude as conclude
from mlproj.diagnose.mismatch.document import to_mismatch_document as to_mismatch_document
from mlproj.diagnose.mismatch.gap import judge_gap as judge_gap
from mlproj.diagnose.mismatch.judge import Side as Side
from mlproj.diagnose.mismatch.judge import compare_answers as compare_answers
from mlproj.diagnose.mismatch.judge import judge_mismatch as judge_mismatch
from mlproj.diagnose.mismatch.render import render_mismatch as render_mismatch
from mlproj.diagnose.mismatch.report import Mismatch as Mismatch
from mlproj.diagnose.mismatch.table import Feature as Feature
