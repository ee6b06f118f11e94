"""The same training by Lightning: a module, two DataLoaders, a Trainer that logs and saves nothing."""

import logging
import warnings

import lightning
import torch
from task import BATCH, Setting
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from contenders.plain import Parts, network, prepare

__all__ = ["prepare", "train"]
warnings.filterwarnings("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Module(lightning.LightningModule):
    """The network, its loss, and how many answers on dev are wrong."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self.network, self.setting = network(setting), setting
        self.wrong, self.seen, self.best = 0, 0, 1.0

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """The loss of a batch."""
        x, y = batch
        return cross_entropy(self.network(x), y)

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Counts wrong answers."""
        x, y = batch
        self.wrong += int((self.network(x).argmax(1) != y).sum())
        self.seen += len(y)

    def on_validation_epoch_end(self) -> None:
        """The error after an epoch."""
        self.best = min(self.best, self.wrong / self.seen)
        self.wrong, self.seen = 0, 0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        setting = self.setting
        return torch.optim.Adam(self.parameters(), lr=setting.learning_rate, weight_decay=setting.weight_decay)


def train(parts: Parts, setting: Setting, seed: int = 0) -> float:
    """Trains, and returns the lowest error on dev after any epoch."""
    lightning.seed_everything(seed, verbose=False)
    module = Module(setting)
    trainer = lightning.Trainer(
        max_epochs=setting.epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    learn = DataLoader(TensorDataset(*parts["train"]), batch_size=BATCH, shuffle=True)
    trainer.fit(module, learn, DataLoader(TensorDataset(*parts["dev"]), batch_size=len(parts["dev"][1])))
    return module.best
