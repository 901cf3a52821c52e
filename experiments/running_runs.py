"""Runs of ours that an MLflow store shows as running; whether somebody is at work on them is for the caller to know."""

from collections import Counter

from experiments.mlflow_connection import connect, quiet_logging

_N_RUNS_PER_PAGE = 1000


def studies_shown_as_running(tracking_uri: str) -> Counter[str]:
    """How many runs of each study have the status RUNNING, its trials' included; deleted experiments are left out."""
    with quiet_logging():
        client = connect(tracking_uri)
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        found: list[str] = []
        token: str | None = None
        while experiments:
            page = client.search_runs(
                experiments, "attributes.status = 'RUNNING'", max_results=_N_RUNS_PER_PAGE, page_token=token
            )
            studies = (run.data.tags.get("sweeps.study") for run in page)
            found += [study for study in studies if study is not None]
            token = page.token
            if not token:
                break
        return Counter(found)
