"""An `[[enqueue]]` table as Optuna takes it."""

from sweeps.configuration.search_space import NOT_SEARCHED, EnqueuedConfiguration, TrainingSection
from sweeps.trials.space import hidden_units_name


def fixed_params(table: EnqueuedConfiguration) -> dict[str, float | int | str]:
    """The hyperparameters that the table gives, under the names that trials have for them."""
    widths = table.hidden_units or ()
    given = {
        "learning_rate": table.learning_rate,
        "n_iterations": table.n_iterations,
        "depth": table.depth if table.hidden_units is None else len(widths),
        **{hidden_units_name(layer): width for layer, width in enumerate(widths, start=1)},
        "activation": table.activation,
        **{name: getattr(table, name) for name in TrainingSection.model_fields if name not in NOT_SEARCHED},
    }
    return {name: value for name, value in given.items() if value is not None}
