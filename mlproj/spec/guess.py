"""*Did you mean*: what a word that is not known was probably meant to be."""

import difflib
import re
from collections.abc import Iterable

KEYS_ELSEWHERE = {
    "alpha": "training.learning_rate",
    "architecture": "model",
    "batch": "training.batch_size",
    "classes": "data.label",
    "clip": "training.clip_norm",
    "clip_grad_norm": "training.clip_norm",
    "criterion": "training.loss",
    "csv": "data.source",
    "dataset": "data",
    "depth": "model.layers",
    "description": "about",
    "drop": "data.exclude",
    "dropout_rate": "model.dropout",
    "features": "data.include",
    "file": "data.source",
    "gradient_clipping": "training.clip_norm",
    "hidden_layers": "model.hidden",
    "hidden_size": "model.width",
    "hidden_units": "model.hidden",
    "initialization": "model.init",
    "l1_penalty": "training.l1",
    "l2_penalty": "training.l2",
    "lambda": "training.l2",
    "lr": "training.learning_rate",
    "max_epochs": "training.epochs",
    "max_iter": "training.epochs",
    "max_norm": "training.clip_norm",
    "n_epochs": "training.epochs",
    "n_layers": "model.layers",
    "network": "model",
    "neurons": "model.width",
    "num_epochs": "training.epochs",
    "num_layers": "model.layers",
    "objective": "metric.optimize",
    "problem": "task",
    "random_seed": "seed",
    "random_state": "seed",
    "scheduler": "training.schedule",
    "score": "metric.optimize",
    "scoring": "metric.optimize",
    "solver": "training.optimizer",
    "target": "data.label",
    "test_size": "splits.test",
    "train_test_split": "splits",
    "type": "task",
    "units": "model.width",
    "val": "splits.dev",
    "val_size": "splits.dev",
    "valid": "splits.dev",
    "validation": "splits.dev",
    "validation_split": "splits.dev",
    "weight_decay": "training.l2",
    "y": "data.label",
}
"""What other tools call the keys of project.yaml."""

WORDS_ELSEWHERE = {
    "acc": "accuracy",
    "auc": "roc_auc",
    "auroc": "roc_auc",
    "bce": "cross_entropy",
    "binary": "classification",
    "bool": "boolean",
    "categorical": "category",
    "ce": "cross_entropy",
    "classifier": "classification",
    "datetime": "date",
    "dnn": "mlp",
    "drop": "ignore",
    "error_rate": "error",
    "float": "number",
    "free_text": "text",
    "gpu": "cuda",
    "int": "number",
    "integer": "number",
    "kaiming": "he",
    "l1": "mae",
    "l2": "mse",
    "logistic": "linear",
    "logistic_regression": "linear",
    "multiclass": "classification",
    "nesterov_momentum": "nesterov",
    "neural_network": "mlp",
    "nn": "mlp",
    "numeric": "number",
    "numerical": "number",
    "perceptron": "mlp",
    "pr_auc": "average_precision",
    "regressor": "regression",
    "sensitivity": "recall",
    "sentence": "text",
    "skip": "ignore",
    "softmax": "linear",
    "step": "staircase",
    "str": "category",
    "string": "category",
    "timestamp": "date",
}
"""What other tools call the words that fields take."""

_CLOSE = 0.7


def closest(word: str, options: Iterable[str]) -> str:
    """The option that a word was probably meant to be; empty when none is near.

    Example:
        >>> closest("clasification", ["classification", "regression"])
        'classification'
        >>> closest("batchSize", ["batch_size", "epochs"]), closest("dve", ["dev", "test"]), closest("x", ["dev"])
        ('batch_size', 'dev', '')
    """
    plain = _plain(word)
    by_plain = {_plain(option): option for option in options}
    if plain in by_plain:
        return by_plain[plain]
    for other, option in by_plain.items():
        if sorted(other) == sorted(plain):
            return option
    near = difflib.get_close_matches(plain, by_plain, n=1, cutoff=_CLOSE)
    return by_plain[near[0]] if near else ""


def meant(word: str, options: Iterable[str]) -> str:
    """The option that a word was meant to be, by its spelling or by what other tools call it; empty when unclear.

    Example:
        >>> meant("auc", ["accuracy", "roc_auc"]), meant("Adam", ["adam", "adamw"])
        ('roc_auc', 'adam')
    """
    options = tuple(options)
    known = WORDS_ELSEWHERE.get(snake(word), "")
    return same(word, options) or (known if known in options else closest(word, options))


def same(word: str, options: Iterable[str]) -> str:
    """The option that differs in spelling habits only: case, hyphens, camelCase, British or American; else empty.

    Example:
        >>> same("Learning-Rate", ["learning_rate"]), same("optimise", ["optimize"]), same("rate", ["learning_rate"])
        ('learning_rate', 'optimize', '')
    """
    return next((option for option in options if _plain(option) == _plain(word)), "")


def snake(word: str) -> str:
    """A word as keys are written.

    Example:
        >>> snake("weightDecay"), snake("Val-Size")
        ('weight_decay', 'val_size')
    """
    return re.sub(r"[\s\-]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word.strip())).lower()


def _plain(word: str) -> str:
    """Letters and digits only, American spelling."""
    spelled = snake(word).replace("_", "")
    return re.sub(r"is(e|er|ed|ing|ation)$", r"iz\1", spelled)
