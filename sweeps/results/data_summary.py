"""What `validate` says of the data: apart from the end of a sweep, whose imports it does without."""

from typing import Any

from experiments.contact_sheet import write_contact_sheet
from experiments.preparation import PreparedData


def data_summary(prepared: PreparedData) -> dict[str, Any]:
    """What `validate` says of the data; of pictures it draws some, and says where they are to be seen."""
    dataset, repeats = prepared.dataset, prepared.repeats
    return {
        "source": dataset.source,
        "task": dataset.task,
        "n_train": dataset.n_train,
        "n_test": dataset.n_test,
        "n_features": prepared.n_features,
        "folds": prepared.n_folds // repeats,
        **({} if repeats == 1 else {"repeats": repeats}),
        **({} if (relation := dataset.relation_train) is None else {"split_by": relation.words}),
        "scaling": prepared.preprocessing.scaling,
        "class_balance": dataset.class_balance,
        "digest": dataset.digest,
        **({} if (sheet := write_contact_sheet(dataset)) is None else {"contact_sheet": str(sheet)}),
    }
