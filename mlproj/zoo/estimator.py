"""Estimators of the user's own: objects with `fit` and `predict`, trained once, behind the interface of a stack of one.

Fitted estimators are kept without pickle, as bytes beside the weights of other models: in their own format where they
have `save_model` and `load_model` (XGBoost, CatBoost) or `save` and `load`, scikit-learn's through skops. What has none
of these works until the process ends, and is not stored.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from mlproj.errors import MlprojError
from mlproj.shapes import Outputs, Rows
from mlproj.spec.code import aside, describe
from mlproj.zoo.stacked import LayerRow, StackedModel

_LEAST = 1e-12
"""Smallest probability of an answer: its logarithm has to be finite."""
_HELD = (
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neural_network._stochastic_optimizers.",
    "sklearn.gaussian_process.",
    "sklearn.utils._bunch.Bunch",
    "sklearn._loss.",
)
"""What scikit-learn's estimators hold and skops asks about: classes of scikit-learn that run no code when loaded."""
_PREFIX = "estimator"
_SCALE = "scale"


class OwnEstimator(StackedModel):
    """One estimator, or one per label, as a stack of one.

    Args:
        make: Makes an unfitted one.
        made: One that was made.
        n_features: Inputs F.
        n_outputs: Outputs K.
        root: The project's folder, for messages.

    Attributes:
        kind: What its outputs mean: binary, multiclass or regression; set by `learn` and `restore`.
        fitted: The fitted ones, one per label.
        classes: For each the classes that its columns of probabilities stand for.
        scale: Mean and standard deviation of the label as it is learned, for regression.
    """

    leading_axes: ClassVar[int] = 0

    def __init__(self, make: Callable[[], Any], made: Any, *, n_features: int, n_outputs: int, root: Path) -> None:
        super().__init__({}, n_features=n_features, n_models=1)
        self.name, self.n_outputs = type(made).__name__, n_outputs
        self.example, self.root = made, root
        self._make = make
        self.kind = "regression"
        self.fitted: list[Any] = []
        self.classes: list[NDArray[np.int64]] = []
        self.scale = (0.0, 1.0)

    @property
    def rows(self) -> tuple[LayerRow, ...]:
        """One row: estimators have no layers, and what they learn is no number of parameters."""
        return (LayerRow(self.name, (self.n_outputs,), 0),)

    def learn(
        self, kind: str, x: NDArray[Any], y: NDArray[Any], weight: NDArray[Any] | None, scale: tuple[float, float]
    ) -> None:
        """Fits one estimator per label, each on the examples whose label is known.

        Args:
            kind: binary, multiclass or regression.
            x: Inputs (N, F).
            y: Labels (N, L): 0, 1 or NaN; class positions; or values as the estimator is to give them.
            weight: Weight of each label (N, L), or None when all weigh 1.
            scale: Mean and standard deviation by which values become outputs.

        Raises:
            MlprojError: When fitting fails; it names the line.
        """
        self.kind, self.scale, self.fitted = kind, scale, []
        for label in range(y.shape[1]):
            known = np.isfinite(y[:, label].astype(np.float64))
            truth = y[known, label]
            named = {} if weight is None else {"sample_weight": weight[known, label]}
            estimator = self._make()
            try:
                with aside():
                    estimator.fit(x[known], truth if kind == "regression" else truth.astype(np.int64), **named)
            except Exception as error:
                raise MlprojError(f"{self.name}.fit fails: {describe(error, self.root)}") from error
            self.fitted.append(estimator)
        self.classes = [self._classes_of(estimator) for estimator in self.fitted]

    def forward(self, x: Rows) -> Outputs:
        """Raw outputs [1, B, K] in float64: logits whose probabilities are the estimator's, or standardised values."""
        rows = np.asarray((x[0] if x.ndim == 3 else x).detach().cpu().numpy(), np.float32)
        try:
            with aside():
                columns = [self._outputs(estimator, rows, label) for label, estimator in enumerate(self.fitted)]
        except MlprojError:
            raise
        except Exception as error:
            raise MlprojError(f"{self.name}.predict fails: {describe(error, self.root)}") from error
        return torch.from_numpy(np.concatenate(columns, axis=1)).to(x.device).unsqueeze(0)

    def dump(self) -> dict[str, NDArray[Any]]:
        """The fitted estimators as bytes in arrays, by names that say how to read them; empty if none can be kept."""
        stored: dict[str, NDArray[Any]] = {}
        for label, estimator in enumerate(self.fitted):
            found = _to_bytes(estimator)
            if found is None:
                return {}
            how, content = found
            stored[f"{_PREFIX}.{label}.{how}"] = np.frombuffer(content, np.uint8)
            stored[f"{_PREFIX}.{label}.classes"] = self.classes[label]
        return stored | {_SCALE: np.array(self.scale)}

    def restore(self, kind: str, weights: Mapping[str, NDArray[Any]]) -> None:
        """Takes back what `dump` gave.

        Args:
            kind: classification or regression.
            weights: What was stored.
        """
        stored = {name: name.split(".") for name in weights if name.startswith(f"{_PREFIX}.")}
        found = sorted((int(label), how, name) for name, (_, label, how) in stored.items() if how != "classes")
        self.fitted = [_from_bytes(self._make, how, weights[name].tobytes()) for _, how, name in found]
        self.classes = [weights[f"{_PREFIX}.{label}.classes"] for label, _, _ in found]
        self.scale = (float(weights[_SCALE][0]), float(weights[_SCALE][1]))
        is_several = len(self.fitted) == self.n_outputs
        self.kind = "regression" if kind == "regression" else "binary" if is_several else "multiclass"

    def _classes_of(self, estimator: Any) -> NDArray[np.int64]:
        n = 2 if self.kind == "binary" else self.n_outputs
        classes = getattr(estimator, "classes_", None)
        return np.arange(n) if classes is None or self.kind == "regression" else np.asarray(classes).astype(np.int64)

    def _outputs(self, estimator: Any, x: NDArray[Any], label: int) -> NDArray[np.float64]:
        if self.kind == "regression":
            mean, std = self.scale
            return (np.asarray(estimator.predict(x), np.float64).reshape(len(x), 1) - mean) / std
        classes, n = self.classes[label], 2 if self.kind == "binary" else self.n_outputs
        scores = None if hasattr(estimator, "predict_proba") else _decisions(estimator, x, classes, n)
        if scores is not None:
            return scores
        p = np.zeros((len(x), n))
        if hasattr(estimator, "predict_proba"):
            given = np.asarray(estimator.predict_proba(x), np.float64)
            given = np.column_stack([1 - given, given]) if given.ndim == 1 else given
            if given.shape != (len(x), len(classes)):
                needed = (len(x), len(classes))
                raise MlprojError(f"{self.name}.predict_proba gives {given.shape}; {needed} is needed")
            p[:, classes] = given
        else:
            p[np.arange(len(x)), np.asarray(estimator.predict(x)).reshape(-1).astype(np.int64)] = 1
        logs = np.log(np.maximum(p, _LEAST))
        return logs if self.kind == "multiclass" else logs[:, 1:] - logs[:, :1]


def _decisions(estimator: Any, x: NDArray[Any], classes: NDArray[np.int64], n: int) -> NDArray[np.float64] | None:
    """What a margin classifier says in place of logits."""
    if not hasattr(estimator, "decision_function") or len(classes) != n:
        return None
    scores = np.asarray(estimator.decision_function(x), np.float64)
    if scores.ndim == 1:
        return scores[:, None] if n == 2 else None
    return scores if scores.shape == (len(x), n) else None


def is_estimator(weights: Mapping[str, Any]) -> bool:
    """Whether stored weights are those of estimators."""
    return any(name.startswith(f"{_PREFIX}.0.") for name in weights)


def needs_factory(weights: Mapping[str, Any]) -> bool:
    """Whether stored estimators can only be read by one that the user's code makes."""
    return not any(name.endswith(".skops") for name in weights)


def _to_bytes(estimator: Any) -> tuple[str, bytes] | None:
    for how in ("save_model", "save"):
        if callable(getattr(estimator, how, None)) and callable(getattr(estimator, _LOADERS[how], None)):
            with tempfile.TemporaryDirectory(prefix="mlproj-") as folder:
                file = Path(folder) / "model.ubj"  # the one of XGBoost's formats that is read fastest
                getattr(estimator, how)(str(file))
                return (how, file.read_bytes()) if file.is_file() else None
    from sklearn.base import BaseEstimator

    if not isinstance(estimator, BaseEstimator):
        return None
    import skops.io

    try:
        content = skops.io.dumps(estimator)
        return None if _foreign(skops.io.get_untrusted_types(data=content)) else ("skops", content)
    except Exception:  # noqa: BLE001  # what skops cannot write, it says in many ways
        return None


_LOADERS = {"save_model": "load_model", "save": "load"}


def _from_bytes(make: Callable[[], Any], how: str, content: bytes) -> Any:
    if how == "skops":
        import skops.io

        asked = skops.io.get_untrusted_types(data=content)
        if foreign := _foreign(asked):
            raise MlprojError(
                f"the stored model holds {foreign[0]}, which is not loaded: it is no part of scikit-learn"
            )
        return skops.io.loads(content, trusted=asked)
    estimator = make()
    with tempfile.TemporaryDirectory(prefix="mlproj-") as folder:
        file = Path(folder) / "model.ubj"
        file.write_bytes(content)
        loaded = getattr(estimator, _LOADERS[how])(str(file))
    return loaded if hasattr(loaded, "predict") else estimator  # `load` may be a class method


def _foreign(types: Sequence[str]) -> list[str]:
    return [each for each in types if not each.startswith(_HELD)]
