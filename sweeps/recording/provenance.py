"""Where results come from: the source's commit, the versions of what computes, the machine. As tags of a run."""

import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

import sweeps
from engine.threads import machine_kind

PACKAGES = ("numpy", "scipy", "scikit-learn", "optuna", "pandas", "h5py", "mlflow")
_SECONDS_FOR_GIT = 5.0


def provenance() -> dict[str, str]:
    """Tags of a study's run; `mlflow.source.git.commit` only where the source is known to be of a commit."""
    tags = {
        "sweeps.version": sweeps.__version__,
        "sweeps.python": platform.python_version(),
        "sweeps.machine": machine_kind(),
        "sweeps.host": platform.node(),
        "sweeps.platform": platform.platform(terse=True),
        "sweeps.cores": str(os.cpu_count()),
    }
    for package in PACKAGES:
        try:
            tags[f"sweeps.packages.{package}"] = version(package)
        except PackageNotFoundError:
            continue
    commit, has_changes = source_commit(Path(sweeps.__file__).parent)
    if commit:
        tags["mlflow.source.git.commit"] = commit
        if has_changes:
            tags["sweeps.source_changed"] = "true"  # since the commit, which is not the whole truth then
    return tags


def source_commit(package: Path) -> tuple[str, bool]:
    """The git commit of a package's source, and whether its files have changed since; ("", False) where it has none.

    A checkout knows its own; a wheel that pip built from a repository was told it. A package that is installed
    somewhere inside an unrelated repository belongs to neither.
    """
    if _git(package, "ls-files", "--error-unmatch", "__init__.py") is not None:
        commit = _git(package, "rev-parse", "HEAD") or ""
        return commit, bool(_git(package, "status", "--porcelain", "--untracked-files=no"))
    return _commit_that_pip_installed(package.name), False


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says; None when it is not installed, or refuses."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}  # of a hook's
    try:
        done = subprocess.run(  # noqa: S603  # our own words, no shell
            ["git", "--no-optional-locks", "-C", str(folder), *arguments],  # noqa: S607  # whichever git the user has
            env=environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS_FOR_GIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _commit_that_pip_installed(package: str) -> str:
    """From PEP 610's direct_url.json; "" for a release, a local folder, or anything that is not git."""
    try:
        document = json.loads(distribution(package).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return ""
    information = document.get("vcs_info", {})
    return str(information.get("commit_id", "")) if information.get("vcs") == "git" else ""
