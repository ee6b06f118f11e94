"""Where runs are kept: a tracker contract, MLflow behind it in a child process, and its UI.

`MlflowTracker` starts a child that imports MLflow and prepares `mlruns/` while the driver goes on; `MemoryTracker`
keeps the same promises without a disk. The driver never imports MLflow.
"""

from mlproj.track.channel import Channel as Channel
from mlproj.track.client import MlflowTracker as MlflowTracker
from mlproj.track.git import GitState as GitState
from mlproj.track.git import capture_git as capture_git
from mlproj.track.memory import MemoryTracker as MemoryTracker
from mlproj.track.model import Model as Model
from mlproj.track.model import ModelData as ModelData
from mlproj.track.model import read_model_data as read_model_data
from mlproj.track.model import write_model_data as write_model_data
from mlproj.track.names import invent_name as invent_name
from mlproj.track.select import Choice as Choice
from mlproj.track.select import choose_run as choose_run
from mlproj.track.store import Store as Store
from mlproj.track.store import store_for as store_for
from mlproj.track.store import without_password as without_password
from mlproj.track.tracker import AbstractTracker as AbstractTracker
from mlproj.track.ui import serve as serve
