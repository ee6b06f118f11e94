"""What every model family promises: `class TestLinear(ModelContract)` with a fixture `spec` tests it for `Linear`."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from mlproj.spec.base import Spec
from mlproj.spec.model import Python
from mlproj.spec.training import Training
from mlproj.training.batches import Examples
from mlproj.training.objective import Objective
from mlproj.training.step import Learner, make_learner, step
from mlproj.zoo import StackedModel, build, seeded, stack, unstack

N_FEATURES, N_OUTPUTS, N_ROWS = 4, 3, 12
SEEDS = (3, 11, 4)


class ModelContract:
    """The promises of a model family. Inherit it, and give the spec of a small model as the fixture `spec`.

    A torch module of your own keeps them too: `Python(kind="python", factory="nets:Net")`. It trains alone, as a
    stack of one.
    """

    @pytest.fixture
    def spec(self) -> Spec:
        """The spec of the model to test."""
        raise NotImplementedError("supply a fixture `spec`")

    def seeds(self, spec: Spec) -> Sequence[int]:
        """One seed per member of the stack to test."""
        return SEEDS[:1] if isinstance(spec, Python) else SEEDS

    def make(self, spec: Spec, seeds: Sequence[int] | None = None) -> StackedModel:
        """A stack of the models to test."""
        seeds = self.seeds(spec) if seeds is None else seeds
        return build(spec, n_features=N_FEATURES, n_outputs=N_OUTPUTS, seeds=seeds)

    def make_rows(self, n: int = N_ROWS) -> torch.Tensor:
        """Features of a small problem."""
        return torch.randn(n, N_FEATURES, generator=torch.Generator().manual_seed(0))

    def train(self, spec: Spec, seeds: Sequence[int], n_steps: int) -> tuple[StackedModel, torch.Tensor]:
        """A stack after some steps in float64, each member with its own learning rate, and the losses [T, M]."""
        model = self.make(spec, seeds).double()
        rates = torch.tensor([0.01 / (1 + SEEDS.index(seed)) for seed in seeds], dtype=torch.float64)
        learner: Learner = make_learner(model, Objective("cross_entropy"), [Training()] * len(seeds))
        x = self.make_rows().double()
        y = (x[:, :1] + x[:, 1:2] > 0).long()[:, 0] + (x[:, 2] > 0.5).long()
        rows = torch.arange(N_ROWS).expand(len(seeds), -1)
        with seeded(seeds[0], "dropout"):
            losses = [step(learner, Examples(x, y).take(rows), rates) for _ in range(n_steps)]
        return model, torch.stack(losses)

    @pytest.mark.parametrize("n", [1, 2, 7])
    def test_gives_one_output_per_model_and_row_for_any_batch(self, spec: Spec, n: int) -> None:
        """Shared rows [B, F] and own rows [M, B, F] both give [M, B, K]."""
        model = self.make(spec).eval()
        shared, own = self.make_rows(n), self.make_rows(n).expand(model.n_models, n, N_FEATURES)
        assert model(shared).shape == (model.n_models, n, N_OUTPUTS)
        torch.testing.assert_close(model(shared), model(own))

    def test_every_parameter_and_buffer_has_the_model_axis(self, spec: Spec) -> None:
        """The leading axis of everything in the state is M."""
        assert {len(value) for value in self.make(spec).state_dict().values()} == {len(self.seeds(spec))}

    def test_the_same_seed_gives_the_same_weights(self, spec: Spec) -> None:
        """Building twice gives equal weights."""
        one, two = self.make(spec).state_dict(), self.make(spec).state_dict()
        assert all(torch.equal(one[name], two[name]) for name in one)

    def test_rows_do_not_see_each_other_in_evaluation_mode(self, spec: Spec) -> None:
        """Reordering the rows reorders the outputs and changes nothing else."""
        model, x = self.train(spec, self.seeds(spec), 3)[0].eval(), self.make_rows().double()
        order = torch.randperm(N_ROWS, generator=torch.Generator().manual_seed(1))
        torch.testing.assert_close(model(x)[:, order], model(x[order]))
        torch.testing.assert_close(model(x)[:, :1], model(x[:1]))

    def test_weights_survive_being_taken_apart_and_put_together(self, spec: Spec) -> None:
        """`stack(unstack(model))` is the model's state, and loads into a fresh one."""
        model, x = self.train(spec, self.seeds(spec), 3)[0].eval(), self.make_rows().double()
        twin = self.make(spec, [0] * model.n_models).double().eval()
        twin.load_state_dict(stack(unstack(model)))
        assert torch.equal(twin(x), model(x))

    def test_works_in_double_precision(self, spec: Spec) -> None:
        """Converted to float64, it answers in float64."""
        assert self.make(spec).double()(self.make_rows().double()).dtype == torch.float64

    def test_steps_lower_the_loss(self, spec: Spec) -> None:
        """Every member's loss on a small problem is lower after fifty steps."""
        losses = self.train(spec, self.seeds(spec), 50)[1]
        assert bool((losses[-5:].mean(0) < losses[0]).all())

    def test_each_member_equals_the_model_trained_alone(self, spec: Spec) -> None:
        """Weights, running statistics and losses of member m are those of its twin of one, with its seed and rate."""
        together, losses = self.train(spec, self.seeds(spec), 10)
        for member, seed in enumerate(self.seeds(spec)):
            alone, own_losses = self.train(spec, [seed], 10)
            torch.testing.assert_close(losses[:, member], own_losses[:, 0], rtol=1e-9, atol=1e-12)
            for name, value in unstack(alone)[0].items():
                np.testing.assert_allclose(unstack(together)[member][name], value, rtol=1e-7, atol=1e-10)
