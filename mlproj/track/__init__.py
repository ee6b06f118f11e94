"""Where runs are kept: a tracker contract, MLflow's store behind it in a child process, and its UI.

`MlflowTracker` starts a child that prepares `mlruns/` and writes while the driver goes on; `MemoryTracker` keeps the
same promises without a disk. The driver never imports MLflow. Names are loaded when they are first used: the child
needs few of them, and starts in a tenth of a second.
"""

from typing import TYPE_CHECKING

from mlproj.lazy import names_of

if TYPE_CHECKING:
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

_HOMES = {
    "AbstractTracker": "tracker",
    "Channel": "channel",
    "Choice": "select",
    "GitState": "git",
    "MemoryTracker": "memory",
    "MlflowTracker": "client",
    "Model": "model",
    "ModelData": "model",
    "Store": "store",
    "capture_git": "git",
    "choose_run": "select",
    "invent_name": "names",
    "read_model_data": "model",
    "serve": "ui",
    "store_for": "store",
    "without_password": "store",
    "write_model_data": "model",
}
__getattr__ = names_of(__name__, {name: f".{home}" for name, home in _HOMES.items()})
