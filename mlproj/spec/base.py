"""The rules that every part of a project obeys: frozen, no unknown keys, no silent conversion, every key described."""

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A part of project.yaml. Docstrings under the fields are their descriptions in schema, docs and `mlproj init`."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        validate_default=True,
    )
