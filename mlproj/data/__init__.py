"""Where examples come from, what their columns mean, who lies in which split, and the numbers that a model takes."""

from mlproj.data.columns import Column as Column
from mlproj.data.dataset import Dataset as Dataset
from mlproj.data.dataset import load_dataset as load_dataset
from mlproj.data.deal import Deal as Deal
from mlproj.data.encoder import Encoder as Encoder
from mlproj.data.examine import CheckReport as CheckReport
from mlproj.data.examine import examine as examine
from mlproj.data.guess import infer_columns as infer_columns
from mlproj.data.part import Part as Part
from mlproj.data.sealed import Sealed as Sealed
from mlproj.data.sealed import open_test as open_test
from mlproj.data.slim import deal_project as deal_project
from mlproj.data.slim import is_large as is_large
from mlproj.data.sources import read_source as read_source
from mlproj.data.target import Target as Target
from mlproj.data.task import infer_task as infer_task
