"""A sweep that is killed, at any instant and again and again, ends as the one that nothing disturbs."""

import os
import random
import subprocess
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.sweeps.support.disk import Fault
from tests.sweeps.support.lives import Life, Template
from tests.sweeps.support.outcomes import Death, Undisturbed, live_through, make_folder, outcome

N_KILLS = 21
"""In a test; ten of them are more than 200, of which a quick run makes a third."""


def test_a_life_is_the_command_line(undisturbed: Undisturbed, tmp_path: Path):
    """What is forked from the template gives what a process of its own gives."""
    folder = make_folder(tmp_path / "own")
    command = [sys.executable, "-m", "sweeps", "run", "sweep.toml", "--quiet"]
    own = subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, capture_output=True)
    assert own.returncode == 4, own.stderr  # nobody answers at the tracking URI
    assert outcome(folder, is_delivered=False) == undisturbed.outcome


def n_killed(lives: list[Life]) -> int:
    """All others came to the end of the sweep."""
    for life in lives:
        assert life.is_killed or life.exit_code == 0, life.err
    return sum(life.is_killed for life in lives)


def random_death(dice: random.Random, undisturbed: Undisturbed) -> Death:
    """At an instant, at an event on the disk, or in a power cut."""
    if dice.random() < 0.3:
        return {"seconds": dice.uniform(0, 1.2 * undisturbed.seconds)}
    return {
        "fault": Fault(
            kind=dice.choice(["signal", "signal", "power cut"]),
            phase=dice.choice(["before", "torn", "after"]),
            occurrence=dice.randrange(len(undisturbed.events)),
            keeps_names=dice.random() < 0.5,
        )
    }


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(n, marks=pytest.mark.slow) for n in range(3, 40))])
def test_kills_at_random_leave_the_result_of_the_undisturbed_sweep(
    template: Template, undisturbed: Undisturbed, shelf: Path, seed: int
):
    dice = random.Random(seed)  # noqa: S311
    n_deaths = 0
    for number in count():
        deaths = [random_death(dice, undisturbed) for _ in range(dice.randint(1, 3))]
        n_deaths += n_killed(live_through(template, make_folder(shelf / str(number)), deaths, undisturbed))
        if n_deaths >= N_KILLS:
            break
    assert number < 2 * N_KILLS, "most deaths must come while a sweep is under way"


EVERYWHERE = [
    Fault("signal", "before"),
    Fault("signal", "torn", operation="write"),
    Fault("power cut", "after", keeps_names=True),
    Fault("power cut", "after", keeps_names=False),
    Fault("power cut", "torn", operation="write"),
]
N_PARTS = 4


@pytest.mark.slow
@pytest.mark.parametrize("part", range(N_PARTS))
@pytest.mark.parametrize("fault", EVERYWHERE, ids=lambda fault: f"{fault.kind} {fault.phase} {fault.keeps_names}")
def test_a_kill_at_every_event_on_the_disk_leaves_the_result_of_the_undisturbed_sweep(
    template: Template, undisturbed: Undisturbed, shelf: Path, fault: Fault, part: int
):
    occurrences = range(part, sum(map(fault.is_at, undisturbed.events)), N_PARTS)
    n_deaths = 0
    for occurrence in occurrences:
        death = {"fault": replace(fault, occurrence=occurrence)}
        n_deaths += n_killed(live_through(template, make_folder(shelf / str(occurrence)), [death], undisturbed))
    assert n_deaths >= len(occurrences) - 5  # how often a checkpoint is written is the clock's to say
