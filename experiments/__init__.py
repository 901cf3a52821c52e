"""One experiment: its data, its record, its models. See experiments/README.md."""
