"""Models of `peer_tuned` that need packages few have: PyTorch's perceptron and pytabkit's RealMLP-TD-S."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from optuna import Trial

from tests.benchmarks.peer_models import Deadline, Perceptron, RealNumbers
from tests.benchmarks.quality_data import Labels

N_EPOCHS = 500
N_EPOCHS_WITHOUT_GAIN = 10
VALIDATION_FRACTION = 0.1


class Torch(Perceptron):
    """The space of scikit-learn's MLP, trained by PyTorch's AdamW, and stopped early in the same way."""

    def estimator_of(self, params: dict[str, Any], deadline: Deadline) -> Any:
        return _TorchNetwork(params, deadline, seed=self.seed, is_classifier=self.is_classifier)


class _TorchNetwork:
    def __init__(self, params: dict[str, Any], deadline: Deadline, *, seed: int, is_classifier: bool) -> None:
        self.params, self.deadline, self.seed, self.is_classifier = params, deadline, seed, is_classifier

    def fit(self, X: npt.NDArray[np.float32], y: Labels) -> None:
        import torch
        from torch import nn

        torch.set_num_threads(1)
        generator = torch.manual_seed(self.seed)
        sizes = [X.shape[1], *self.params["hidden_layer_sizes"], int(y.max()) + 1 if self.is_classifier else 1]
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(sizes):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        self.network = nn.Sequential(*layers[:-1])
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=self.params["learning_rate_init"], weight_decay=self.params["alpha"]
        )
        loss = nn.CrossEntropyLoss() if self.is_classifier else nn.MSELoss()
        inputs = torch.from_numpy(X)
        targets = torch.from_numpy(y if self.is_classifier else y[:, None])
        order = torch.randperm(len(X), generator=generator)
        n_held_out = max(1, round(VALIDATION_FRACTION * len(X)))
        held_out, rows = order[:n_held_out], order[n_held_out:]
        asked = self.params["batch_size"]
        size = min(200 if asked == "auto" else asked, len(rows))  # what scikit-learn's "auto" is
        best, best_weights, n_without_gain = math.inf, None, 0
        for _ in range(N_EPOCHS):
            for chosen in rows[torch.randperm(len(rows), generator=generator)].split(size):
                optimizer.zero_grad()
                loss(self.network(inputs[chosen]), targets[chosen]).backward()
                optimizer.step()
            with torch.no_grad():
                cost = float(loss(self.network(inputs[held_out]), targets[held_out]))
            n_without_gain = 0 if cost < best - 1e-4 else n_without_gain + 1
            if cost < best or best_weights is None:
                best, best_weights = cost, {key: w.clone() for key, w in self.network.state_dict().items()}
            if n_without_gain > N_EPOCHS_WITHOUT_GAIN or self.deadline.is_over():
                break
        assert best_weights is not None, "there is one epoch at least"
        self.network.load_state_dict(best_weights)

    def predict_proba(self, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        import torch

        with torch.no_grad():
            return torch.softmax(self.network(torch.from_numpy(X)), dim=1).numpy()

    def predict(self, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        import torch

        with torch.no_grad():
            return self.network(torch.from_numpy(X))[:, 0].numpy()


class RealMLP(RealNumbers):
    """pytabkit's tuned defaults: nothing is tried before the fit, which cannot be ended early, so mind its seconds."""

    first = ()
    is_grid = True

    def suggest(self, trial: Trial) -> dict[str, Any]:
        return {}

    def estimator_of(self, params: dict[str, Any], deadline: Deadline) -> Any:
        from pytabkit import RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor

        deadline.is_over()
        kind = RealMLP_TD_S_Classifier if self.is_classifier else RealMLP_TD_S_Regressor
        return kind(device="cpu", n_threads=1, random_state=self.seed, verbosity=0)
