"""Signals to a sweep and its worker processes, at random: SIGKILL to one or to all of them, SIGTERM, Ctrl-C."""

import random
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.facts import Fact, SweepFinished
from experiments.outbox import Outbox
from tests.sweeps.support.disk import Fault
from tests.sweeps.support.lives import Life, Template
from tests.sweeps.support.outcomes import Undisturbed, live_through, make_folder
from tests.sweeps.support.processes import Target, processes_of

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")

SEEDS = [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 21))]
SECTIONS = {"serial": {}, "processes": {"execution": {"executor": "processes", "workers": 2}}}


def random_signal(
    dice: random.Random, undisturbed: Undisturbed, target: Target, signal_number: int = signal.SIGKILL
) -> Fault:
    """At an event on the disk or soon after one; to a worker, after a rung: then there are workers."""
    while_there_are_workers = {"operation": "write", "file": "journal", "data": '"op_code":7,'}
    fault = Fault(
        "signal",
        dice.choice(["before", "after"]),
        signal_number=signal_number,
        target=target,
        delay_seconds=dice.choice([0.0, dice.uniform(0, 0.1)]),
        **(while_there_are_workers if target == "worker" else {}),
    )
    return replace(fault, occurrence=dice.randrange(sum(map(fault.is_at, undisturbed.events))))


def assert_nobody_is_left(life: Life) -> None:
    """Whoever was left behind goes by itself."""
    deadline = time.monotonic() + 30
    while left := processes_of(life.pid):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.01)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("target", ["coordinator", "everything", "worker"])
def test_a_kill_of_some_or_all_processes_leaves_the_result_of_the_undisturbed_sweep(
    template: Template, undisturbed: Undisturbed, shelf: Path, target: Target, seed: int
):
    dice = random.Random(f"{target} {seed}")  # noqa: S311
    deaths = [{"fault": random_signal(dice, undisturbed, target)} for _ in range(3)]
    lives = live_through(template, make_folder(shelf / "short", **SECTIONS["processes"]), deaths, undisturbed)
    for life in lives:
        assert_nobody_is_left(life)
        assert life.exit_code in ((0,) if target == "worker" else (0, -signal.SIGKILL)), life.err
    assert target == "worker" or lives[0].is_killed


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("executor", SECTIONS)
@pytest.mark.parametrize(
    ("signal_number", "exit_code", "targets"),
    [(signal.SIGINT, 130, ["everything"]), (signal.SIGTERM, 143, ["coordinator", "everything"])],
    ids=["ctrl-c", "SIGTERM"],
)
def test_a_signal_at_any_instant_ends_the_sweep_cleanly_and_the_same_command_continues(
    template: Template,
    undisturbed: Undisturbed,
    shelf: Path,
    signal_number: int,
    exit_code: int,
    targets: list[Target],
    executor: str,
    seed: int,
):
    dice = random.Random(f"{signal_number} {executor} {seed}")  # noqa: S311
    for number in range(6 if executor == "serial" else 1):
        folder = make_folder(shelf / str(number), **SECTIONS[executor])
        signals = [random_signal(dice, undisturbed, dice.choice(targets), signal_number) for _ in range(3)]
        middle = dice.randrange(len(undisturbed.events) // 8, len(undisturbed.events) * 7 // 8)
        signals[0] = replace(signals[0], delay_seconds=0.0, occurrence=middle)
        lives = live_through(template, folder, [{"fault": fault} for fault in signals], undisturbed)
        assert lives[0].exit_code == exit_code, lives[0]
        for life in lives:
            assert_nobody_is_left(life)
            assert life.exit_code in (0, exit_code, -signal_number), life
            assert "Traceback" not in life.err
            assert life.err.startswith("Interrupted" if life.exit_code == exit_code else ""), life.err
        told = [life for life in lives if life.exit_code == exit_code]
        ends = [fact.state for fact in facts_of(folder) if isinstance(fact, SweepFinished)]
        n_killed = len(ends) - 1  # an interruption that found nothing new is on record already
        assert ends == ["KILLED"] * n_killed + ["FINISHED"], "MLflow must not show it as running"
        assert 1 <= n_killed <= len(told)


def facts_of(folder: Path) -> list[Fact]:
    """Of the only record in a folder."""
    (path,) = folder.glob(".sweeps/*/*/outbox.jsonl")
    return [fact for _, fact in Outbox(path).facts()]


def test_ctrl_c_after_the_last_trial_does_not_wait_for_the_training_of_the_winner(
    template: Template, undisturbed: Undisturbed, shelf: Path
):
    fault = Fault("signal", operation="unlink", file=r"/checkpoint\.h5$", signal_number=signal.SIGINT)
    folder = make_folder(shelf / "short")
    assert template.live(folder, fault=fault).exit_code == 130
    assert not list(folder.rglob("model.h5"))
    live_through(template, folder, [], undisturbed)
