"""A sweep whose files are damaged between two of its lives ends with the table of the one that nothing disturbs."""

import random
import re
from pathlib import Path

import pytest

from experiments.errors import InputError
from experiments.facts import TrialFinished
from experiments.outbox import Outbox
from sweeps.results.status import find_study, study_statuses
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.workspace import Workspace
from tests.support.damage import damages
from tests.sweeps.support.disk import Fault
from tests.sweeps.support.lives import Template
from tests.sweeps.support.outcomes import Undisturbed, make_folder
from tests.sweeps.support.small_sweep import table

FILES = ("journal.log", "*/checkpoint.h5", "*/outbox.jsonl", "*/outbox.jsonl.delivered", "*/kept/trial-*.h5")


def killed_folder(template: Template, undisturbed: Undisturbed, folder: Path, dice: random.Random) -> Path:
    """A sweep that was killed when some of its trials had ended."""
    n_events = len(undisturbed.events)
    fault = Fault("signal", phase="after", occurrence=dice.randrange(n_events // 3, 9 * n_events // 10))
    assert template.live(make_folder(folder), fault=fault).is_killed
    return folder


@pytest.mark.parametrize("pattern", FILES)
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 20))])
def test_damage_to_a_file_of_a_killed_sweep_does_not_change_its_table(
    template: Template, undisturbed: Undisturbed, shelf: Path, pattern: str, seed: int
):
    dice = random.Random(f"{seed} {pattern}")  # noqa: S311
    for number in range(2):
        folder = killed_folder(template, undisturbed, shelf / str(number), dice)
        files = sorted(folder.glob(f".sweeps/short/{pattern}"))
        if not files:
            continue
        file = dice.choice(files)
        what, damaged = dice.choice(list(damages(file.read_bytes(), 6, seed)))
        file.write_bytes(damaged)
        life = template.live(folder)
        assert life.exit_code == 0, f"{what}: {life.err}"
        assert "Traceback" not in life.err
        (storage,) = Workspace(folder).storages("short")
        stored = StoredStudy.all_of(storage)[-1]  # the only one, unless its very beginning was lost
        assert table(stored) == undisturbed.outcome.rows, what
        outbox = Outbox(Workspace(folder).study_folder(stored.name).outbox)
        facts = sorted(fact.number for _, fact in outbox.facts() if isinstance(fact, TrialFinished))
        assert facts == [row["number"] for row in undisturbed.outcome.rows], what
        assert outbox.started() is not None
        assert outbox.n_pending == 0


def test_who_only_looks_is_told_the_line_of_a_damaged_journal_and_what_to_type(
    template: Template, undisturbed: Undisturbed, shelf: Path
):
    folder = killed_folder(template, undisturbed, shelf / "killed", random.Random(1))  # noqa: S311
    journal = folder / ".sweeps/short/journal.log"
    damaged = bytearray(journal.read_bytes())
    damaged[len(damaged) // 2] ^= 4
    journal.write_bytes(damaged)
    told = r"journal\.log line \d+: damaged in short/.* doctor --fix"
    with pytest.raises(InputError, match=told):
        find_study(Workspace(folder), None)
    statuses, (error,) = study_statuses(Workspace(folder), None)
    assert (statuses, bool(re.search(told, str(error)))) == ([], True)
    assert journal.read_bytes() == damaged
