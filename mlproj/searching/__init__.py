"""Search: spaces and their scales, coarse-to-fine rounds, studies in Optuna, and what a search found out.

This room trains nothing and tracks nothing: it is handed functions that do (`Lab`).
"""

from mlproj.searching.found import N_FINALISTS as N_FINALISTS
from mlproj.searching.found import Found as Found
from mlproj.searching.found import Progress as Progress
from mlproj.searching.insight import describe as describe
from mlproj.searching.lock import driver_lock as driver_lock
from mlproj.searching.matrix import Matrix as Matrix
from mlproj.searching.matrix import write_matrix as write_matrix
from mlproj.searching.matrix import write_row as write_row
from mlproj.searching.pictures import draw_search as draw_search
from mlproj.searching.pictures import prepare_to_draw as prepare_to_draw
from mlproj.searching.search import HopelessSearch as HopelessSearch
from mlproj.searching.search import Searching as Searching
from mlproj.searching.search import sizes_of as sizes_of
from mlproj.searching.search import trials_of as trials_of
from mlproj.searching.space import default_space as default_space
from mlproj.searching.stopwatch import Stopwatch as Stopwatch
from mlproj.searching.storage import open_storage as open_storage
from mlproj.searching.studies import SearchStudy as SearchStudy
from mlproj.searching.studies import begin_study as begin_study
from mlproj.searching.studies import latest_study as latest_study
from mlproj.searching.trials import DONE as DONE
from mlproj.searching.trials import Trial as Trial
