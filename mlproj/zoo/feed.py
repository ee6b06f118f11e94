"""How a module of the user's own wants its inputs: as one tensor, as a tuple or dict of columns, or by their names.

B examples, F inputs. A column is what one raw column became: a number one input, a category one per class of it.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, get_origin, get_type_hints

import torch
from torch import Tensor, nn

from mlproj.errors import InvalidInput, Problem
from mlproj.spec.guess import closest

Feed: TypeAlias = Callable[[Tensor], tuple[tuple[Any, ...], dict[str, Any]]]


def make_feed(module: nn.Module, name: str, n_features: int, columns: Mapping[str, int] | None) -> Feed:
    """What turns inputs [B, F] into the arguments of a module's `forward`.

    One argument: a tensor [B, F]; annotated as a dict or a tuple, the columns [B, n] by name or in order. Several
    arguments without a default: the columns of those names.

    Args:
        module: The module.
        name: What project.yaml calls it.
        n_features: Inputs F.
        columns: Inputs of each raw column, in order; None where they are not known.

    Raises:
        InvalidInput: When `forward` asks for a column that there is not.
    """
    needed, form = _wanted(module)
    if form is None and len(needed) < 2:
        return lambda x: ((x,), {})
    if columns is None or sum(columns.values()) != n_features:
        columns = {f"x{i}": 1 for i in range(n_features)}
    sizes, names = list(columns.values()), list(columns)
    if form is dict:
        return lambda x: ((dict(zip(names, torch.split(x, sizes, dim=1), strict=True)),), {})
    if form is tuple:
        return lambda x: ((torch.split(x, sizes, dim=1),), {})
    problems = [_no_column(each, name, names) for each in needed if each not in columns]
    if problems:
        raise InvalidInput(problems)

    def by_name(x: Tensor) -> tuple[tuple[Any, ...], dict[str, Any]]:
        parts = dict(zip(names, torch.split(x, sizes, dim=1), strict=True))
        return (), {each: parts[each] for each in needed}

    return by_name


def _wanted(module: nn.Module) -> tuple[list[str], type | None]:
    """Arguments of `forward` without a default, and whether its only one is a dict or a tuple."""
    try:
        parameters = list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):
        return [], None
    usual = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.KEYWORD_ONLY)
    needed = [each.name for each in parameters if each.kind in usual and each.default is each.empty]
    first = next((each for each in parameters if each.kind in usual), None)
    if len(needed) > 1 or first is None:
        return needed, None
    try:
        hint = get_type_hints(module.forward).get(first.name)
    except Exception:  # noqa: BLE001  # hints of the user's own may name anything
        hint = first.annotation
    kind = get_origin(hint) or hint
    if not isinstance(kind, type):
        return needed, None
    return needed, dict if issubclass(kind, Mapping) else tuple if issubclass(kind, tuple) else None


def _no_column(name: str, factory: str, names: list[str]) -> Problem:
    near = closest(name, names)
    hint = f"Did you mean `{near}`?" if near else f"The columns are {', '.join(names[:12])}; or take one tensor."
    return Problem("model.factory", f"forward of {factory} asks for a column `{name}` that is no feature", hint)
