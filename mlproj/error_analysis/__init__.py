"""Looking at the errors one by one: a sheet goes out, people say what they see, and it comes back as ceilings."""

from mlproj.error_analysis.sheet import Example as Example
from mlproj.error_analysis.sheet import Manifest as Manifest
from mlproj.error_analysis.sheet import Row as Row
from mlproj.error_analysis.sheet import Sheet as Sheet
from mlproj.error_analysis.sheet import Stratum as Stratum
