"""How often a process of ours looks for garbage."""

import gc

_OBJECTS_PER_COLLECTION = 50_000


def collect_rarely() -> None:
    """Look for garbage after so many new objects: Python's 700 look among all that imports make, and it stays.

    Of the import of MLflow that is a sixth of the seconds.
    """
    gc.set_threshold(_OBJECTS_PER_COLLECTION)
