"""Sanity checks that train, differentiate or read batches: is anything broken before its figures are believed?

`examine` runs the checks of `mlproj.doctor.checks` on a `Patient`; a new check is a new file there. `gradient_check`
holds the gradients of any module against differences.
"""

from mlproj.doctor.checkup import Checkup as Checkup
from mlproj.doctor.checkup import Result as Result
from mlproj.doctor.checkup import examine as examine
from mlproj.doctor.checkup import select as select
from mlproj.doctor.gradient import GradientCheck as GradientCheck
from mlproj.doctor.gradient import gradient_check as gradient_check
from mlproj.doctor.patient import Course as Course
from mlproj.doctor.patient import Patient as Patient
from mlproj.doctor.registry import Check as Check
from mlproj.doctor.registry import NotApplicable as NotApplicable
from mlproj.doctor.registry import Seen as Seen
from mlproj.doctor.registry import check as check
from mlproj.doctor.render import render_text as render_text
from mlproj.doctor.render import to_document as to_document
