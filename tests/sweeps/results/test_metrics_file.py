"""What Prometheus is told: its text format, as its documentation says, read back by a reader of our own."""

import os
import re
import stat

import pytest

from experiments.errors import InputError
from sweeps.results.metrics_file import check_metrics_file, metrics_text, write_metrics_file

FINISHED = {
    "exit_code": 0,
    "elapsed_seconds": 12.5,
    "n_complete": 3,
    "n_pruned": 2,
    "n_failed": 0,
    "best": {"value": 0.0625},
    "test": {"metrics": {"accuracy": 0.75, "log_loss": 0.5}},
    "ensemble": {"metrics": {"accuracy": 0.875}},
    "mlflow": {"n_pending": 0},
}
FAILED = {"exit_code": 2, "elapsed_seconds": 0.5, "error": "no such file"}


def read(text):
    """Samples of the text format by name and labels; each metric is described once, before its samples."""
    assert text.endswith("\n")
    samples, described = {}, []
    for line in text.splitlines():
        if match := re.fullmatch(r"# HELP ([a-z_]+) [^\\\n]+", line):
            described.append(match[1])
        elif match := re.fullmatch(r"# TYPE ([a-z_]+) gauge", line):
            assert match[1] == described[-1]
        else:
            match = re.fullmatch(r'([a-z_]+)\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\} (\S+)', line)
            assert match, line
            assert match[1] == described[-1], "samples of a metric stand together"
            samples[match[1], match[2]] = float(match[3])
    assert len(described) == len(set(described))
    return samples


def test_all_numbers_of_a_run_are_there():
    samples = read(metrics_text(FINISHED, "a.toml", 1000.0, None))
    of = 'config="a.toml"'
    assert samples == {
        ("sweeps_last_run_timestamp_seconds", of): 1000.0,
        ("sweeps_last_success_timestamp_seconds", of): 1000.0,
        ("sweeps_exit_code", of): 0.0,
        ("sweeps_duration_seconds", of): 12.5,
        ("sweeps_trials", f'{of},state="complete"'): 3.0,
        ("sweeps_trials", f'{of},state="pruned"'): 2.0,
        ("sweeps_trials", f'{of},state="failed"'): 0.0,
        ("sweeps_best_value", f'{of},objective="cost"'): 0.0625,
        ("sweeps_test_score", f'{of},model="winner",metric="accuracy"'): 0.75,
        ("sweeps_test_score", f'{of},model="winner",metric="log_loss"'): 0.5,
        ("sweeps_test_score", f'{of},model="ensemble",metric="accuracy"'): 0.875,
        ("sweeps_pending_facts", of): 0.0,
    }


def test_a_name_with_quotes_backslashes_and_line_breaks_stays_one_label():
    samples = read(metrics_text(FAILED, 'a"b\\c\nd', 1.0, None))
    assert ("sweeps_exit_code", r'config="a\"b\\c\nd"') in samples


def test_the_last_success_outlives_failures_and_one_that_is_pending_counts(tmp_path):
    file = tmp_path / "sweeps.prom"
    write_metrics_file(file, FAILED, "a.toml")
    assert "last_success" not in file.read_text()
    write_metrics_file(file, FINISHED | {"exit_code": 4}, "a.toml")
    success = read(file.read_text())["sweeps_last_success_timestamp_seconds", 'config="a.toml"']
    for code in (2, 3, 75, 143):
        write_metrics_file(file, FAILED | {"exit_code": code}, "a.toml")
        samples = read(file.read_text())
        assert samples["sweeps_last_success_timestamp_seconds", 'config="a.toml"'] == success
        assert samples["sweeps_exit_code", 'config="a.toml"'] == code


def test_the_file_is_for_all_to_read_whatever_the_umask_and_nothing_else_is_left(tmp_path):
    file = tmp_path / "sweeps.prom"
    before = os.umask(0o077)
    try:
        write_metrics_file(file, FINISHED, "a.toml")
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["sweeps.prom"]


def test_a_place_that_cannot_be_written_is_refused_before_the_run(tmp_path):
    for place in (tmp_path / "nowhere" / "a.prom", tmp_path):
        with pytest.raises(InputError, match="cannot be written"):
            check_metrics_file(place)
    check_metrics_file(tmp_path / "a.prom")
