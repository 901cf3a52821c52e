"""`python -m sweeps doctor`: everything that is looked at, in the order in which it is told."""

from sweeps.doctor.finding import Finding, Verdict
from sweeps.doctor.machine import about_machine
from sweeps.doctor.mlflow_runs import about_mlflow
from sweeps.doctor.studies import about_sweep
from sweeps.storage.workspace import LeaseHeldError, Workspace


def examine(workspace: Workspace, *, has_to_mend: bool) -> list[Finding]:
    """All findings of a folder; what a run that is alive is at work on is left alone, and said to be.

    Args:
        workspace: The folder; nothing is written in it unless there is something to mend.
        has_to_mend: Do what is safe, each sweep under its lease.
    """
    findings: list[Finding] = []
    for sweep_name in workspace.sweep_names():
        if workspace.is_leased(sweep_name):
            findings.append(_alive(sweep_name))
        elif not has_to_mend:
            findings += about_sweep(workspace, sweep_name, has_to_mend=False)
        else:
            try:
                with workspace.lease(sweep_name):
                    findings += about_sweep(workspace, sweep_name, has_to_mend=True)
            except LeaseHeldError:  # it has just begun
                findings.append(_alive(sweep_name))
    findings += about_mlflow(workspace, has_to_mend=has_to_mend)
    findings += about_machine(workspace)
    return findings


def _alive(sweep_name: str) -> Finding:
    return Finding(sweep_name, "a run is alive; it is left alone.", Verdict.NOTE)
