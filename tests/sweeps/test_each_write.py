"""Each write of a sweep, by name: a kill before it, in the middle of it and after it; and a disk that is full there."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.sweeps.support.disk import Fault
from tests.sweeps.support.lives import Template
from tests.sweeps.support.outcomes import Undisturbed, assert_tells_of_a_full_disk, live_through, make_folder, outcome

SLOW = pytest.mark.slow
JOURNAL = r"/journal\.log$"

WRITES: dict[str, dict[str, str]] = {
    "the sweep's folder": {"operation": "mkdir", "file": r"\.sweeps/short$"},
    "the lease": {"operation": "open", "file": "/lease$"},
    "a study": {"operation": "write", "file": JOURNAL, "data": '"op_code":0,'},
    "a study's attribute": {"operation": "write", "file": JOURNAL, "data": '"op_code":2,'},
    "a trial that was asked": {"operation": "write", "file": JOURNAL, "data": '"op_code":4,'},
    "a rung's value": {"operation": "write", "file": JOURNAL, "data": '"op_code":7,'},
    "a trial's note": {"operation": "write", "file": JOURNAL, "data": '"op_code":8,'},
    "a trial's end": {"operation": "write", "file": JOURNAL, "data": '"op_code":6,'},
    "the journal's lock": {"operation": "symlink", "file": JOURNAL[:-1] + r"\.lock$"},
    "the end of the journal's lock": {"operation": "rename", "file": JOURNAL[:-1] + r"\.lock$"},
    "the study's folder": {"operation": "mkdir", "file": "/STUDY$"},
    "the record": {"operation": "open", "file": r"/outbox\.jsonl$"},
    "the cut of a torn fact": {"operation": "ftruncate", "file": r"/outbox\.jsonl$"},
    "a fact": {"operation": "write", "file": r"/outbox\.jsonl$"},
    "the mark of a delivery": {"operation": "write", "file": r"/\.outbox\.jsonl\.delivered\."},
    "the mark of a delivery, renamed": {"operation": "replace", "file": r"/\.outbox\.jsonl\.delivered\."},
    "the tracking URI": {"operation": "write", "file": r"/\.tracking_uri\."},
    "the tracking URI, renamed": {"operation": "replace", "file": r"/\.tracking_uri\."},
    "a checkpoint": {"operation": "write", "file": r"/\.checkpoint\.h5\."},
    "a checkpoint, renamed": {"operation": "replace", "file": r"/\.checkpoint\.h5\."},
    "a checkpoint, deleted": {"operation": "unlink", "file": "/checkpoint.h5$"},
    "the kept trials' folder": {"operation": "mkdir", "file": "/kept$"},
    "a kept trial": {"operation": "write", "file": r"/kept/\.trial-\d+\.h5\."},
    "a kept trial, renamed": {"operation": "replace", "file": r"/kept/\.trial-\d+\.h5\."},
    "the ensemble": {"operation": "write", "file": r"/\.ensemble\.h5\."},
    "the digests of rows": {"operation": "write", "file": r"/\.rows\.npz\."},
    "the verdict": {"operation": "write", "file": r"/\.verdict\.json\."},
    "the ledger of verdicts": {"operation": "write", "file": r"/\.verdicts\.jsonl\."},
    "the model": {"operation": "write", "file": r"/\.model\.h5\."},
    "the model, renamed": {"operation": "replace", "file": r"/\.model\.h5\."},
}
"""Patterns of a `Fault` by what is written."""


@pytest.fixture(params=WRITES)
def write(request: pytest.FixtureRequest, undisturbed: Undisturbed) -> Fault:
    """The write in the middle of all those of its name."""
    fault = Fault("signal", **WRITES[request.param])
    n_writes = sum(map(fault.is_at, undisturbed.events))
    assert n_writes > 0, "there is no such write; has it another name now?"
    return replace(fault, occurrence=(n_writes - 1) // 2)


@pytest.mark.parametrize("phase", ["before", "torn", "after"])
def test_a_kill_at_a_write_leaves_the_result_of_the_undisturbed_sweep(
    template: Template, undisturbed: Undisturbed, shelf: Path, write: Fault, phase: Any
):
    death = {"fault": replace(write, phase=phase)}
    first, last = live_through(template, make_folder(shelf / "short"), [death], undisturbed)
    assert first.is_killed
    assert last.exit_code == 0, last.err


@pytest.mark.parametrize("phase", ["torn", *(pytest.param(name, marks=SLOW) for name in ("before", "after"))])
def test_a_disk_that_is_full_from_a_write_on_is_told_and_with_room_the_same_command_continues(
    template: Template, undisturbed: Undisturbed, shelf: Path, write: Fault, phase: Any
):
    death = {"fault": replace(write, kind="full disk", phase=phase)}
    first, last = live_through(template, make_folder(shelf / "short"), [death], undisturbed)
    assert first.exit_code == 2, first
    assert_tells_of_a_full_disk(first.err)
    assert last.exit_code == 0, last.err


@pytest.mark.parametrize("name", ["a checkpoint", "a checkpoint, renamed", "the mark of a delivery"])
def test_a_write_that_only_saves_work_may_fail_for_a_moment(
    template: Template, undisturbed: Undisturbed, shelf: Path, name: str
):
    folder = make_folder(shelf / "short")
    fault = Fault("full disk", operation="write|replace", file=WRITES[name]["file"], is_lasting=False)
    life = template.live(folder, fault=fault)
    assert (life.exit_code, life.err) == (0, "")
    assert outcome(folder) == undisturbed.outcome
    assert outcome(folder).files == undisturbed.outcome.files


# --- what only some sweeps write ---

ELSEWHERE = {
    "the data for workers": (
        {"execution": {"executor": "processes", "workers": 1}},
        r"/worker-data-/inputs/with_ones\.npy",
    ),
    "the storage's URL": ({"study": {"storage": "sqlite:///FOLDER/optuna.db"}}, r"/STUDY/\.storage\."),
}


@pytest.mark.parametrize("phase", ["before", "torn", "after", "full disk"])
@pytest.mark.parametrize(
    "name",
    ["the data for workers", pytest.param("the storage's URL", marks=SLOW)],  # makes a schema
)
def test_what_only_some_sweeps_write_may_fail_too(
    template: Template, undisturbed: Undisturbed, shelf: Path, name: str, phase: Any
):
    sections, file = ELSEWHERE[name]
    folder = make_folder(shelf / "short", **sections)
    configuration = folder / "sweep.toml"
    configuration.write_text(configuration.read_text().replace("FOLDER", str(folder)))
    fault = Fault("signal", phase, operation="write", file=file)
    if phase == "full disk":
        life = template.live(folder, fault=replace(fault, kind="full disk", phase="torn"))
        assert life.exit_code == 2, life
        assert_tells_of_a_full_disk(life.err)
    else:
        assert template.live(folder, fault=fault).is_killed
    assert template.live(folder).exit_code == 0
    assert outcome(folder) == undisturbed.outcome
    assert not list(folder.rglob("worker-data-*"))
