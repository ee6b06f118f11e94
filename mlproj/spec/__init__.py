"""What a project is, as plain data: no torch, numpy, pandas, mlflow or optuna is imported here.

`load_project` reads a project.yaml and reports all its problems at once; `Project` is the frozen result.
"""

from mlproj.spec.fields import Row as Row
from mlproj.spec.fields import reference_rows as reference_rows
from mlproj.spec.load import find_file as find_file
from mlproj.spec.load import load_project as load_project
from mlproj.spec.load import make_project as make_project
from mlproj.spec.load import parse_project as parse_project
from mlproj.spec.project import Origin as Origin
from mlproj.spec.project import Project as Project
from mlproj.spec.render import flatten as flatten
from mlproj.spec.render import spec_hash as spec_hash
from mlproj.spec.render import to_yaml as to_yaml
from mlproj.spec.schema import json_schema as json_schema
from mlproj.spec.starter import clean_name as clean_name
from mlproj.spec.starter import starter_yaml as starter_yaml
from mlproj.spec.where import parse_where as parse_where
