"""PyTorch: one network after another, or all folds in batched products; eager or compiled. All cores."""

import os

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its users' name for it)

from tests.benchmarks.contenders import Layers
from tests.benchmarks.workloads import Workload

ACTIVATIONS = {"relu": torch.relu, "leaky_relu": F.leaky_relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}


class PyTorch:
    """Each fold trains on its own rows, one after the other."""

    is_compiled = False

    def __init__(self, workload: Workload) -> None:
        torch.set_num_threads(os.cpu_count() or 1)
        self.workload = workload
        self.activation = ACTIVATIONS[workload.architecture.activation]
        self.is_binary = workload.architecture.head == "binary"
        self._load()
        if self.is_compiled:
            torch.compiler.reset()
            self.cost = torch.compile(self.cost, dynamic=False)
        self.start()
        self.iterate(2)

    def _load(self) -> None:
        workload = self.workload
        self.rows = [
            (torch.from_numpy(workload.X[:, ~held].T.copy()), self._targets(workload.Y[:, ~held]))
            for held in workload.held_out
        ]

    def _targets(self, Y: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(Y.T.copy() if self.is_binary else Y.argmax(axis=0))

    def start(self) -> None:
        initial = self.workload.initial
        one = [array for W, b in zip(initial.W, initial.b, strict=True) for array in (W[0], b[0, :, 0])]
        self.parameters = [[torch.from_numpy(a.copy()).requires_grad_() for a in one] for _ in self.rows]

    def cost(self, parameters: list[torch.Tensor], X: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
        A = X
        for W, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
            A = self.activation(F.linear(A, W, b))
        Z = F.linear(A, *parameters[-2:])
        return F.binary_cross_entropy_with_logits(Z, Y) if self.is_binary else F.cross_entropy(Z, Y)

    def iterate(self, n_iterations: int) -> None:
        for parameters, (X, Y) in zip(self.parameters, self.rows, strict=True):
            for _ in range(n_iterations):
                gradients = torch.autograd.grad(self.cost(parameters, X, Y), parameters)
                with torch.no_grad():  # what torch.optim.SGD comes down to, without its bookkeeping
                    torch._foreach_add_(parameters, gradients, alpha=-self.workload.learning_rate)

    def networks(self) -> list[Layers]:
        arrays = [[p.detach().numpy() for p in parameters] for parameters in self.parameters]
        return [[(W, b[:, None]) for W, b in zip(one[::2], one[1::2], strict=True)] for one in arrays]


class PyTorchCompiled(PyTorch):
    """The same through torch.compile."""

    is_compiled = True


class PyTorchStacked(PyTorch):
    """All F networks in batched products (F, m, n) on all rows; folds are weights of the loss."""

    def _load(self) -> None:
        workload = self.workload
        self.X = torch.from_numpy(workload.X.T.copy()).expand(workload.n_networks, -1, -1)
        targets = self._targets(workload.Y)
        self.Y = targets.expand(workload.n_networks, *targets.shape)
        trained_on = ~workload.held_out
        weights = trained_on / trained_on.sum(axis=1, keepdims=True)
        self.weights = torch.from_numpy(weights.astype(workload.dtype))

    def start(self) -> None:
        initial = self.workload.initial
        stacked = [a for W, b in zip(initial.W, initial.b, strict=True) for a in (W.mT, b.mT)]  # (1, n[l-1], n[l])
        self.parameters = [
            torch.from_numpy(np.repeat(a, self.workload.n_networks, axis=0)).requires_grad_() for a in stacked
        ]

    def cost(self, parameters: list[torch.Tensor], X: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
        A = X
        for W, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
            A = self.activation(torch.baddbmm(b, A, W))
        Z = torch.baddbmm(parameters[-1], A, parameters[-2])
        if self.is_binary:
            losses = F.binary_cross_entropy_with_logits(Z, Y, reduction="none")[..., 0]
        else:
            losses = F.cross_entropy(Z.mT, Y, reduction="none")
        return (losses * self.weights).sum()

    def iterate(self, n_iterations: int) -> None:
        for _ in range(n_iterations):
            gradients = torch.autograd.grad(self.cost(self.parameters, self.X, self.Y), self.parameters)
            with torch.no_grad():
                torch._foreach_add_(self.parameters, gradients, alpha=-self.workload.learning_rate)

    def networks(self) -> list[Layers]:
        arrays = [p.detach().numpy() for p in self.parameters]
        return [
            [(W[f].T, b[f].T) for W, b in zip(arrays[::2], arrays[1::2], strict=True)]
            for f in range(self.workload.n_networks)
        ]


class PyTorchStackedCompiled(PyTorchStacked):
    """The same through torch.compile."""

    is_compiled = True


def adamw(parameters: list[torch.Tensor], learning_rate: float) -> torch.optim.AdamW:
    """Its own optimizer in its fastest form: all arrays in one call."""
    return torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0, fused=True)


class PyTorchMinibatches(PyTorch):
    """AdamW; each fold gathers its minibatches from all rows, one after the other."""

    def _load(self) -> None:
        workload = self.workload
        torch.set_num_threads(1)
        self.X, self.Y = torch.from_numpy(workload.X.T.copy()), self._targets(workload.Y)
        self.rows = [(self.X, self.Y)] * workload.n_networks
        self.examples = torch.from_numpy(workload.examples(workload.n_iterations))

    def start(self) -> None:
        super().start()
        self.optimizers = [adamw(parameters, self.workload.learning_rate) for parameters in self.parameters]

    def iterate(self, n_iterations: int) -> None:
        for fold, (parameters, optimizer) in enumerate(zip(self.parameters, self.optimizers, strict=True)):
            for which in self.examples[:n_iterations, fold]:
                gradients = torch.autograd.grad(self.cost(parameters, self.X[which], self.Y[which]), parameters)
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    parameter.grad = gradient
                optimizer.step()


class PyTorchStackedMinibatches(PyTorchStacked):
    """AdamW; all folds gather their minibatches together, (F, size, n)."""

    def _load(self) -> None:
        super()._load()
        torch.set_num_threads(1)
        self.rows, self.targets = self.X[0], self.Y[0]
        self.examples = torch.from_numpy(self.workload.examples(self.workload.n_iterations))
        self.weights = torch.full_like(self.rows[0, 0], 1 / self.workload.minibatch_size)

    def start(self) -> None:
        super().start()
        self.optimizer = adamw(self.parameters, self.workload.learning_rate)

    def iterate(self, n_iterations: int) -> None:
        for which in self.examples[:n_iterations]:
            cost = self.cost(self.parameters, self.rows[which], self.targets[which])
            for parameter, gradient in zip(self.parameters, torch.autograd.grad(cost, self.parameters), strict=True):
                parameter.grad = gradient
            self.optimizer.step()
