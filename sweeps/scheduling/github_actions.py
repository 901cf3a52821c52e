"""A workflow for GitHub Actions: a fresh machine each night, so the record travels in GitHub's cache."""

import json
import shlex
import sys
from itertools import pairwise
from pathlib import Path

from experiments.errors import InputError
from sweeps.scheduling.job import (
    ScheduledJob,
    about_clock_change,
    about_deadline,
    about_environment,
    about_exit_codes,
    about_overlap,
    as_comment,
    head,
)

SHORTEST_INTERVAL_MINUTES = 5
LONGEST_JOB_MINUTES = 360


def workflow(job: ScheduledJob) -> str:
    """One file for `.github/workflows/`.

    Raises:
        InputError: The configuration is outside of the repository, or the schedule is too quick for GitHub.
    """
    _check_interval(job)
    root = _repository_of(job.directory)
    folder = job.directory.relative_to(root).as_posix()
    argument = job.config_argument if job.config_file is None else _below(root, job.config_file, job.directory)
    name, zone = job.name, job.zone or "UTC"
    minutes = LONGEST_JOB_MINUTES if job.deadline_seconds is None else -(-job.deadline_seconds // 60)
    timezone = "" if job.zone is None else f"      timezone: {_quoted(job.zone)}\n"
    at_root = "" if folder == "." else f"{folder}/"
    about = [
        head(
            job,
            zone,
            [
                f"Save as .github/workflows/{name}.yml on the default branch; elsewhere GitHub does not look.",
                "Install: the step `Install` is for a clone of this package; write there what installs it for you.",
                "GitHub stops the schedule of a public repository without commits for 60 days.",
            ],
        ),
        about_environment(job, "the repository's secrets (Settings, Secrets and variables, Actions)"),
        about_overlap("The concurrency group lets a second workflow wait for the first."),
        about_deadline(job, f"then GitHub cancels the job. {LONGEST_JOB_MINUTES} minutes is the most on its machines."),
        ["Log: the workflow's page, step `Sweep`; the report is an artifact of the run."],
        [
            "Record: .sweeps, mlflow.db and mlruns are kept in the repository's cache from night to night. GitHub",
            "  removes what nobody has read for 7 days: for a record that lasts, set [tracking] uri to a server.",
        ],
        about_exit_codes(),
        ["Missed night: GitHub may start minutes late, and leaves a run out when it is too busy."],
        about_clock_change(
            job, zone, "GitHub starts it at the next time that exists.", "GitHub says nothing; expect one run or two."
        ),
    ]
    return f"""{as_comment(about)}name: {_quoted(name)}
on:
  schedule:
    - cron: {_quoted(job.when.text)}
{timezone}  workflow_dispatch:
permissions:
  contents: read
concurrency:
  group: {_quoted(name)}
  cancel-in-progress: false
jobs:
  sweep:
    runs-on: ubuntu-latest
    timeout-minutes: {minutes}
    steps:
      - uses: actions/checkout@v5
      - uses: actions/setup-python@v6
        with:
          python-version: "{sys.version_info.major}.{sys.version_info.minor}"
      - name: Install
        run: python -m pip install -c constraints.txt .
      - uses: actions/cache/restore@v4
        with:
          path: |
{_record(at_root)}
          key: {name}-${{{{ github.run_id }}}}
          restore-keys: {name}-
      - name: Sweep
        working-directory: {_quoted(folder)}
        run: {_quoted(_without_expressions(shlex.join(["python", "-m", "sweeps", "run", argument, *job.options])))}
{_environment(job)}      - uses: actions/cache/save@v4
        if: always()
        with:
          path: |
{_record(at_root)}
          key: {name}-${{{{ github.run_id }}}}
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: {_quoted(name)}
          path: {_quoted(f"{at_root}.sweeps/{job.config.sweep.name}/*/report.html")}
          include-hidden-files: true
          if-no-files-found: ignore
"""


def _environment(job: ScheduledJob) -> str:
    names = [*job.variables, *job.credentials]
    return "".join(["        env:\n"] * bool(names) + [f"          {n}: ${{{{ secrets.{n} }}}}\n" for n in names])


def _check_interval(job: ScheduledJob) -> None:
    minutes = job.when.minute.values
    around = (*minutes, minutes[0] + 60)
    if len(job.when.hour.values) == 1 and len(minutes) == 1:
        return
    if any(after - before < SHORTEST_INTERVAL_MINUTES for before, after in pairwise(around)):
        raise InputError(
            f'--at "{job.when.text}": that is more often than GitHub starts anything.',
            f"{SHORTEST_INTERVAL_MINUTES} minutes is the shortest interval.",
            'Write --at "0 2 * * *" for every night at two.',
        )


def _repository_of(directory: Path) -> Path:
    """The nearest folder above that is a Git repository; `directory` itself where there is none."""
    return next((folder for folder in (directory, *directory.parents) if (folder / ".git").exists()), directory)


def _below(root: Path, file: Path, directory: Path) -> str:
    if not file.is_relative_to(root):
        raise InputError(
            f"{file}: is not in the repository {root}.",
            "GitHub's machine has the repository and nothing else.",
            "Move the configuration there, and type the command in the repository.",
        )
    if file.is_relative_to(directory):
        return file.relative_to(directory).as_posix()
    return "../" * len(directory.relative_to(root).parts) + file.relative_to(root).as_posix()


def _without_expressions(command: str) -> str:
    """GitHub would work out ${{ }} before the shell sees it; the shell sees nothing in two quotes between quotes."""
    return command.replace("${{", "${''{")


def _record(at_root: str) -> str:
    return "\n".join(f"            {at_root}{path}" for path in (".sweeps", "mlflow.db", "mlruns"))


def _quoted(text: str) -> str:
    """A JSON string is YAML too."""
    return json.dumps(text, ensure_ascii=False)
