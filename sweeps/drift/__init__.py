"""The studies of a sweep's name beside each other: `python -m sweeps drift`. See README.md."""
