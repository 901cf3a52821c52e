"""What MLflow runs when it loads one of our models: `mlflow.pyfunc` "models from code".

Inside the model's folder this file lies beside `MLmodel`; what it imports travels in `code/` (`pyfunc.CODE`).
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from experiments.errors import InputError
from experiments.model import Model


class ServedModel(PythonModel):
    """A `Model` behind MLflow's interface."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the model's one file, which lies beside this one."""
        self._model = Model.load(Path(__file__).parent / "artifacts" / "model.h5")

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,  # or an array, or a list; MLflow warns about a type hint that says so
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Predictions for raw inputs; see `Model.table`.

        Args:
            context: Not used.
            model_input: Images (m, h, w, c), features (m, n), or a table.
            params: {"proba": True} adds a column of probabilities for each class.

        Raises:
            MlflowException: The inputs are invalid; a server answers 400 with our message.
        """
        examples = np.asarray(model_input) if isinstance(model_input, list) else model_input
        try:
            return self._model.table(examples, proba=bool(params and params.get("proba")))
        except InputError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error


set_model(ServedModel())
