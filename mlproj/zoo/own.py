"""Models of the user's own: `kind: python` names a class or function that makes a torch module or an estimator.

A module trains alone behind the interface of the stacks: `OwnModel` shows its state with the leading axis of models,
M = 1, and its outputs too, while its parameters keep the shapes that its author gave them.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mlproj.errors import InvalidInput, MlprojError, Problem
from mlproj.shapes import Outputs, Rows
from mlproj.spec.code import aside, describe, load_object, on_path
from mlproj.spec.guess import closest
from mlproj.spec.model import Python
from mlproj.spec.project import Project
from mlproj.zoo.build import build
from mlproj.zoo.estimator import OwnEstimator, is_estimator, needs_factory
from mlproj.zoo.feed import Feed, make_feed
from mlproj.zoo.seeds import seeded
from mlproj.zoo.stacked import LayerRow, StackedModel, Weights, stack

FACTORY = "model.factory"
_SEEDS = ("seed", "random_state")
_PROBE_ROWS = 2


class OwnModel(StackedModel):
    """A torch module of the user's own as a stack of one.

    Args:
        module: The module; it is converted to float32.
        name: What project.yaml calls it, for messages.
        feed: How it wants its inputs.
        n_features: Inputs F.
        n_outputs: Outputs K.
        root: The project's folder, for messages.

    Attributes:
        net: The module itself.
        rows: Its parts as rows of the layer table.
    """

    leading_axes: ClassVar[int] = 0
    net: nn.Module

    def __init__(
        self, module: nn.Module, *, name: str, feed: Feed, n_features: int, n_outputs: int, root: Path
    ) -> None:
        super().__init__({"net": module.float()}, n_features=n_features, n_models=1)
        self.name, self.n_outputs = name, n_outputs
        self._feed, self._root = feed, root
        self.rows: tuple[LayerRow, ...] = ()

    def forward(self, x: Rows) -> Outputs:
        """Raw outputs [1, B, K] in the precision of the inputs."""
        rows = x[0] if x.ndim == 3 else x
        args, named = self._feed(rows)
        try:
            with aside():
                made = self.net(*args, **named)
        except Exception as error:
            said = describe(error, self._root)
            raise MlprojError(f"{self.name} fails on {len(rows):,} examples: {said}") from error
        if not isinstance(made, Tensor):
            raise MlprojError(f"{self.name} gives a {type(made).__name__}, no tensor of logits")
        values = made.unsqueeze(-1) if made.ndim == 1 and self.n_outputs == 1 else made
        if tuple(values.shape) != (len(rows), self.n_outputs):
            needed = (len(rows), self.n_outputs)
            raise MlprojError(f"{self.name} gives {tuple(made.shape)} for {len(rows):,} examples; {needed} is needed")
        return values.to(x.dtype).unsqueeze(0)

    def state_dict(self, *_args: Any, **_named: Any) -> dict[str, Any]:  # type: ignore[override]  # torch overloads it
        """Parameters and buffers by the module's own names, with the leading axis of models."""
        return {name: value.unsqueeze(0) for name, value in self.net.state_dict().items()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Takes back what `state_dict` gave."""
        return self.net.load_state_dict({name: value[0] for name, value in state_dict.items()}, strict, assign)


@build.register
def build_own(
    spec: Python,
    *,
    n_features: int,
    n_outputs: int,
    seeds: Sequence[int],
    root: Path = Path(),
    columns: Mapping[str, int] | None = None,
) -> StackedModel:
    """Builds the user's model, which trains alone.

    Args:
        spec: Which one.
        n_features: Inputs F.
        n_outputs: Outputs K.
        seeds: One seed.
        root: The project's folder, where its module is looked for first.
        columns: Inputs of each raw column, in order, for modules that take columns by name.

    Raises:
        InvalidInput: With everything that is wrong with the factory, its arguments and what it makes.
    """
    if len(seeds) != 1:
        raise ValueError(f"a model of one's own trains alone, not {len(seeds)} side by side")
    factory = load_object(spec.factory, root, where=FACTORY)
    if not callable(factory):
        raise _refuse(f"{spec.factory} is a {type(factory).__name__}, nothing that makes a model", "Name a class.")
    arguments = fill_arguments(spec, factory, {"n_inputs": n_features, "n_outputs": n_outputs}, seeds[0])

    def make() -> Any:
        with on_path(root), seeded(seeds[0], "weights"):
            try:
                return factory(**arguments)
            except Exception as error:
                hint = "Look at `model.args`, or at that line."
                raise _refuse(f"{spec.factory} fails: {describe(error, root)}", hint) from error

    made = make()
    if isinstance(made, nn.Module):
        feed = make_feed(made, spec.factory, n_features, columns)
        model = OwnModel(made, name=spec.factory, feed=feed, n_features=n_features, n_outputs=n_outputs, root=root)
        with seeded(seeds[0], "weights", 1):
            _probe(model)
        return model
    if callable(getattr(made, "fit", None)) and callable(getattr(made, "predict", None)):
        return OwnEstimator(make, made, n_features=n_features, n_outputs=n_outputs, root=root)
    hint = "Return a torch.nn.Module, or an object with fit and predict."
    raise _refuse(f"{spec.factory} makes a {type(made).__name__}, which is no model", hint)


def build_model(
    project: Project, *, n_features: int, n_outputs: int, seed: int = 0, columns: Mapping[str, int] | None = None
) -> StackedModel:
    """The project's model, as a stack of one.

    Args:
        project: The project.
        n_features: Inputs F.
        n_outputs: Outputs K.
        seed: Seed of its weights.
        columns: Inputs of each raw column, in order.

    Raises:
        InvalidInput: When a model of the user's own cannot be made; it names the line of project.yaml.
    """
    if not isinstance(project.model, Python):
        return build(project.model, n_features=n_features, n_outputs=n_outputs, seeds=[seed])
    try:
        return build_own(
            project.model,
            n_features=n_features,
            n_outputs=n_outputs,
            seeds=[seed],
            root=project.root,
            columns=columns,
        )
    except InvalidInput as error:
        found = [project.problem(each.where, each.message, each.hint) for each in error.problems]
        raise InvalidInput(found) from error.__cause__


def restore_model(
    project: Project, weights: Weights, *, n_features: int, n_outputs: int, columns: Mapping[str, int] | None = None
) -> StackedModel:
    """A trained model from its stored weights.

    Args:
        project: The project that was trained.
        weights: Weights by name, without the model axis.
        n_features: Inputs F.
        n_outputs: Outputs K.
        columns: Inputs of each raw column, in order.

    Raises:
        InvalidInput: When a model of the user's own cannot be made any more, for example for want of its module.
    """

    def make() -> StackedModel:
        return build_model(project, n_features=n_features, n_outputs=n_outputs, columns=columns)

    if not is_estimator(weights):
        model = make()
        model.load_state_dict(stack([weights]))
        return model
    if needs_factory(weights):
        model = make()
        assert isinstance(model, OwnEstimator)
    else:
        model = OwnEstimator(lambda: None, None, n_features=n_features, n_outputs=n_outputs, root=project.root)
    model.restore(project.task or "classification", weights)
    return model


@dataclass(frozen=True)
class Signature:
    """What a factory takes.

    Attributes:
        names: Its arguments; None where nothing is known of them.
        needed: Those without a default.
        is_open: Whether it takes others as well.
        positional: Those that cannot be passed by name.
    """

    names: tuple[str, ...] | None
    needed: tuple[str, ...] = ()
    is_open: bool = False
    positional: tuple[str, ...] = ()


def signature_of(factory: Any) -> Signature:
    """What a factory takes.

    Example:
        >>> signature_of(lambda width, depth=2: None)
        Signature(names=('width', 'depth'), needed=('width',), is_open=False, positional=())
    """
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # compiled code need not say
        return Signature(None)
    named = [each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    bare = [each.name for each in parameters if each.kind == each.POSITIONAL_ONLY and each.default is each.empty]
    return Signature(
        tuple(each.name for each in named),
        tuple(each.name for each in named if each.default is each.empty),
        any(each.kind == each.VAR_KEYWORD for each in parameters),
        tuple(bare),
    )


def fill_arguments(spec: Python, factory: Any, sizes: Mapping[str, int], seed: int) -> dict[str, Any]:
    """The arguments of a factory: those of project.yaml, and what follows from the data and the seed.

    Args:
        spec: The model section.
        factory: What makes the model.
        sizes: `n_inputs` and `n_outputs`, passed where it names them.
        seed: Passed as `seed` or `random_state` where it names them and project.yaml does not.

    Raises:
        InvalidInput: With every argument that it does not take, or that is missing.
    """
    signature = signature_of(factory)
    if signature.names is None:
        return dict(spec.args)
    filled = {name: value for name, value in sizes.items() if name in signature.names}
    filled |= {name: seed for name in _SEEDS if name in signature.names}
    problems = [
        argument_problem(f"model.args.{name}", name, spec.factory, signature)
        for name in spec.args
        if name not in signature.names and not signature.is_open
    ]
    problems += [
        Problem("model.args", f"{spec.factory} needs `{name}`", f"Write it: args: {{{name}: …}}.")
        for name in signature.needed
        if name not in spec.args and name not in filled
    ]
    problems += [
        Problem(FACTORY, f"{spec.factory} takes `{name}` by position only", "Let it take all arguments by name.")
        for name in signature.positional
    ]
    if problems:
        raise InvalidInput(problems)
    return filled | spec.args


def argument_problem(where: str, name: str, factory: str, signature: Signature) -> Problem:
    """An argument that a factory does not take."""
    names = [each for each in signature.names or () if each not in ("n_inputs", "n_outputs")]
    near = closest(name, names)
    takes = f"It takes {', '.join(names[:12])}{', …' if len(names) > 12 else ''}." if names else "It takes none."
    return Problem(where, f"{factory} takes no `{name}`", f"Did you mean `{near}`?" if near else takes)


def _probe(model: OwnModel) -> None:
    """Sends two rows of zeros through a module, which shows what it cannot do, and its layers.

    Raises:
        InvalidInput: When its outputs are none that a loss can use.
    """
    shapes: dict[str, tuple[int, ...]] = {}

    def watch(name: str) -> Any:
        def hook(_module: nn.Module, _args: Any, made: Any) -> None:
            shapes[name] = tuple(made.shape[1:]) if isinstance(made, Tensor) else ()

        return hook

    hooks = [child.register_forward_hook(watch(name)) for name, child in model.net.named_children()]
    try:
        outputs = model.eval()(torch.zeros(_PROBE_ROWS, model.n_features))
    except MlprojError as error:
        meaning = "One logit per class (one for yes or no), or one value for a number; F inputs go in."
        raise _refuse(str(error), meaning) from error.__cause__
    finally:
        for hook in hooks:
            hook.remove()
    model.train()
    learned = [each for each in model.parameters() if each.requires_grad]
    if not learned:
        raise _refuse(f"{model.name} has no parameters to learn", "Leave `requires_grad` true for some.")
    if not outputs.requires_grad:
        raise _refuse(f"the outputs of {model.name} do not depend on its parameters", "Look for detach() in forward.")
    plain = [name for name, value in model.net.state_dict().items() if not isinstance(value, Tensor)]
    if plain:
        raise _refuse(f"{model.name} keeps `{plain[0]}`, which is no tensor", "Keep state in parameters and buffers.")
    model.rows = _layer_rows(model.net, shapes, tuple(outputs.shape[2:]))


def _layer_rows(net: nn.Module, shapes: Mapping[str, tuple[int, ...]], output: tuple[int, ...]) -> tuple[LayerRow, ...]:
    """One row per part of a module, in the order in which it names them; all at once where it has no parts."""
    rows = [
        LayerRow(name, shapes.get(name, ()), sum(each.numel() for each in child.parameters()))
        for name, child in net.named_children()
    ]
    own = sum(each.numel() for each in net.parameters(recurse=False))
    return (*rows, LayerRow(type(net).__name__, output, own)) if own or not rows else tuple(rows)


def _refuse(message: str, hint: str) -> InvalidInput:
    return InvalidInput([Problem(FACTORY, message, hint)])
