"""Whatever the spec can say, somebody can do: every member of a union has a builder, every field a description."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest

from mlproj.spec.base import Spec
from mlproj.spec.model import Model
from mlproj.spec.project import Project
from mlproj.spec.training import Schedule
from mlproj.training.schedules import factor
from mlproj.zoo import build


def members(annotation: Any) -> tuple[type[Spec], ...]:
    """The spec classes of an annotated union."""
    union = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return get_args(union) or (union,)


def specs(annotation: Any, seen: set[type[Spec]]) -> Iterator[type[Spec]]:
    """Every spec class that an annotation can hold, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        if annotation not in seen:
            seen.add(annotation)
            yield annotation
            for field in annotation.model_fields.values():
                yield from specs(field.annotation, seen)
    elif get_origin(annotation) is not Literal:
        for part in get_args(annotation):
            yield from specs(part, seen)


ALL_SPECS = tuple(specs(Project, set()))


def test_the_walk_finds_the_whole_spec() -> None:
    names = {spec.__name__ for spec in ALL_SPECS}
    assert {
        "Project",
        "Data",
        "Part",
        "WeightRule",
        "HumanLevel",
        "MLP",
        "Linear",
        "OneCycle",
        "EarlyStopping",
    } <= names


@pytest.mark.parametrize("member", members(Model), ids=lambda member: member.__name__)
def test_every_model_has_a_builder(member: type[Spec]) -> None:
    assert member in build.registry


@pytest.mark.parametrize("member", members(Schedule), ids=lambda member: member.__name__)
def test_every_schedule_has_its_factors(member: type[Spec]) -> None:
    assert member in factor.registry


@pytest.mark.parametrize("spec", ALL_SPECS, ids=lambda spec: spec.__name__)
def test_every_field_has_a_description_that_ends_like_a_sentence(spec: type[Spec]) -> None:
    lacking = [
        name for name, field in spec.model_fields.items() if not (field.description or "").rstrip().endswith((".", ")"))
    ]
    assert not lacking


@pytest.mark.parametrize("spec", ALL_SPECS, ids=lambda spec: spec.__name__)
def test_every_part_of_the_spec_is_frozen_and_refuses_unknown_keys(spec: type[Spec]) -> None:
    assert spec.model_config["frozen"]
    assert spec.model_config["extra"] == "forbid"
