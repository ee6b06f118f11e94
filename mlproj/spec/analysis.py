"""The `error_analysis:` section: what reviewers look for, and which half of dev they may see."""

from typing import Annotated

from pydantic import Field

from mlproj.spec.base import Names, Spec


class ErrorAnalysis(Spec):
    """Looking at the errors one by one."""

    tags: Names = ()
    """Reasons that get a column in error sheets, for example `[dog, great_cat, blurry]`."""
    eyeball: Annotated[int, Field(ge=0)] = 0
    """Which half of dev may be looked at: another number is another half, for when this one is overfitted."""
