#!/usr/bin/env bash
# WHAT: With warm_start=True, MLPClassifier goes on from its weights only. Momentum and Adam's moments begin at nothing at
#   each fit, and with an integer random_state each fit shuffles as the first one did. Sixty fits of one epoch are not
#   one fit of sixty epochs, even without shuffling; sixty calls of partial_fit are, to the last bit.
# WITH: scikit-learn==1.9.1, numpy==2.4.6, scipy==1.17.1; Python 3.11.7
# EXPECTED: for a search that prunes between fits, the network that has come to the end is the one that a single fit
#   would have trained.
# SEEN:
#   training loss after 60 epochs of digits      one fit   60 warm fits   60 partial fits
#   sgd with momentum 0.9, not shuffled           0.0375         0.0870            0.0375
#   adam, not shuffled                            0.1234         0.1201            0.1234
#   adam, shuffled, random_state=0                0.1097         0.0738            0.1071
# MATTERS: Successive halving by warm_start compares, and then picks, networks trained without the momentum that its best
#   one gets when it is refitted in one go with the same hyperparameters: in the first row more than twice the loss.
#   Use partial_fit.
# SOURCE: sklearn/neural_network/_multilayer_perceptron.py, `_fit_stochastic`: the optimizer is made anew
#   `if not incremental`, and fit sets `self._random_state` from `random_state`.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
cd "$folder"
OPENBLAS_NUM_THREADS=1 venv/bin/python - <<'PROGRAM'
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

warnings.simplefilter("ignore")  # that max_iter was reached, as asked
N_EPOCHS = 60
X, y = load_digits(return_X_y=True)
X /= 16


def network(n_epochs, **options):
    never_early = {"n_iter_no_change": 10**6, "tol": 0.0}
    return MLPClassifier((64,), max_iter=n_epochs, random_state=0, **never_early, **options)


print("training loss after 60 epochs of digits      one fit   60 warm fits   60 partial fits")
changed = []
for name, options in {
    "sgd with momentum 0.9, not shuffled": {"solver": "sgd", "learning_rate_init": 0.05, "shuffle": False},
    "adam, not shuffled": {"shuffle": False},
    "adam, shuffled, random_state=0": {},
}.items():
    at_once = network(N_EPOCHS, **options).fit(X, y)
    warm, partial = network(1, warm_start=True, **options), network(1, **options)
    for _ in range(N_EPOCHS):
        warm.fit(X, y)
        partial.partial_fit(X, y, classes=np.unique(y))
    print(f"{name:<40} {at_once.loss_:>11.4f} {warm.loss_:>14.4f} {partial.loss_:>17.4f}")
    changed.append(np.isclose(at_once.loss_, warm.loss_))
    if "not shuffled" in name:
        changed.append(at_once.loss_ != partial.loss_)
if any(changed):
    raise SystemExit("changed: warm fits are one long fit now, or partial fits are not")
PROGRAM
