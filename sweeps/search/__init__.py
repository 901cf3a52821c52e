"""The search: the order of events, Optuna's part in it, and the winner."""
