"""From what the user wrote to labelled examples: one file per format. See experiments/readers/README.md."""

from experiments.readers.examples import Contents, Examples
from experiments.readers.pair import read_pair
from experiments.readers.source import read_source

__all__ = ["Contents", "Examples", "read_pair", "read_source"]
