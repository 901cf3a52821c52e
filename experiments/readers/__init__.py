"""From what the user wrote to labelled examples: one file per format.

| file | subject |
|---|---|
| `examples.py` | what every reader returns |
| `pair.py` | training and test examples that belong together |
| `source.py` | which reader reads this source |
| `arrays.py` | named arrays: which layout, are they sound (shared by the next two) |
| `hdf5.py`, `npz.py` | named arrays in a file |
| `table.py`, `columns.py`, `csv_form.py` | CSV and Parquet; the two kinds of column; is this a well-formed CSV |
| `sklearn_sets.py` | the sets that ship inside scikit-learn |
| `inputs.py` | raw inputs, as training and a saved model need them, to numbers |
| `unlabelled.py`, `images.py` | inputs of a prediction: named arrays, tables; image files |
| `labels.py` | labels as read to class codes or numbers |
"""

from experiments.readers.examples import Contents, Examples
from experiments.readers.pair import read_pair
from experiments.readers.source import read_source

__all__ = ["Contents", "Examples", "read_pair", "read_source"]
