"""What imports what, and what waits until it is needed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.sweeps.support.written_study import WrittenStudy

HEAVY = {"mlflow", "optuna", "plotly", "sklearn", "pandas", "numpy", "scipy", "h5py", "sqlalchemy", "pyarrow"}


def modules_after(program, *arguments, cwd=REPOSITORY):
    """Top-level modules that a program leaves in sys.modules."""
    wrapped = (
        "import sys, json, atexit\n"
        "atexit.register(lambda: print('MODULES' + json.dumps(sorted({n.split('.')[0] for n in sys.modules}))))\n"
        f"{program}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", wrapped, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    return set(json.loads(done.stdout.rpartition("MODULES")[2]))


RUN_MODULE = "import runpy; runpy.run_module('sweeps', run_name='__main__')"


def test_help_imports_nothing_heavy(tmp_path):
    assert not modules_after(RUN_MODULE, "--help", cwd=tmp_path) & HEAVY
    assert not modules_after(RUN_MODULE, "run", "--help", cwd=tmp_path) & HEAVY


def test_when_the_interpreter_ends_all_modules_are_out_of_the_garbage_collection(tmp_path):
    program = f"import atexit, gc; atexit.register(lambda: print('FROZEN', gc.get_freeze_count())); {RUN_MODULE}"
    done = subprocess.run(
        [sys.executable, "-c", program, "--help"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert int(done.stdout.rpartition("FROZEN")[2]) > 10_000


@pytest.mark.parametrize("name", ["breast_cancer", "digits", "diabetes"])
def test_validate_imports_nothing_that_only_training_needs(name, tmp_path):
    (tmp_path / "a.toml").write_text(f'[sweep]\nname = "a"\n[data]\ntrain = "sklearn:{name}"\n')
    imported = modules_after(RUN_MODULE, "validate", "a.toml", cwd=tmp_path)
    assert {"optuna", "numpy"} <= imported
    assert not imported & {"mlflow", "sqlalchemy", "sklearn", "pandas", "plotly", "h5py"}


def test_nothing_heavy_is_imported_before_the_first_trial_begins(tmp_path):
    program = (
        "from sweeps import load_config, run\n"
        "def stop(*anything): raise SystemExit\n"
        "run._run_trials, run.fitted_meanwhile = stop, lambda *anything: contextlib.nullcontext()\n"
        "run.run_sweep(load_config('breast_cancer'))"
    )
    imported = modules_after(f"import contextlib\n{program}", cwd=tmp_path)
    assert "optuna" in imported
    assert not imported & {"mlflow", "sqlalchemy", "sklearn", "pandas", "plotly"}


def test_status_and_leaderboard_import_only_what_reads_a_study(tmp_path):
    WrittenStudy(tmp_path, 12).write()
    for command in ("status", "leaderboard"):
        imported = modules_after(RUN_MODULE, command, cwd=tmp_path)
        assert "optuna" in imported
        assert not imported & (HEAVY - {"optuna", "numpy"})


def test_a_misspelt_configuration_is_told_without_importing_anything_heavy(tmp_path):
    assert not modules_after(RUN_MODULE, "run", "digit", cwd=tmp_path) & {"mlflow", "sklearn", "pandas"}


def test_a_report_is_made_without_matplotlib_though_optuna_would_import_it(tmp_path):
    WrittenStudy(tmp_path, 12).write()
    imported = modules_after(RUN_MODULE, "report", "--html", "report.html", cwd=tmp_path)
    assert {"plotly", "optuna"} <= imported
    assert not imported & {"mpl_toolkits", "kiwisolver", "mlflow"}  # the first two are matplotlib's


def test_the_worker_imports_only_the_engine():
    imported = modules_after("import engine.worker")
    assert "engine" in imported
    assert not imported & {
        "sweeps",
        "experiments",
        "optuna",
        "mlflow",
        "sklearn",
        "pandas",
        "typer",
        "rich",
        "pydantic",
    }


def test_the_import_contracts_of_pyproject_hold():
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_folder_of_modules_is_a_package_so_that_a_wheel_has_it():
    for package in ("engine", "experiments", "sweeps"):
        folders = {file.parent for file in (REPOSITORY / package).rglob("*.py")}
        assert [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []
