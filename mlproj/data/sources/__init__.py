"""Where tables come from: one file per kind of source, found through the entry points `mlproj.sources`."""

from mlproj.data.sources.base import AbstractSource as AbstractSource
from mlproj.data.sources.base import Reading as Reading
from mlproj.data.sources.registry import find_source as find_source
from mlproj.data.sources.registry import read_source as read_source
