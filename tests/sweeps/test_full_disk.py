"""A real file system without room, at every size: the message, the exit code, and the same result with room."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from tests.sweeps.support.lives import Template
from tests.sweeps.support.outcomes import (
    Outcome,
    Undisturbed,
    assert_tells_of_a_full_disk,
    live_through,
    make_folder,
    outcome,
)

PAGE_BYTES = 4096
"""What such a file system gives away at a time."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB: with room for all that a sweep writes, until a filler takes it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("needs to mount a tmpfs of 16 MB, which is refused here")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def without_extras(found: Outcome) -> Outcome:
    """What must be there, however little room there was: not a page of figures, nor the mark of a delivery."""
    return replace(found, end=replace(found.end, artifacts={}, description=""))


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_a_disk_of_any_size_that_is_too_small_is_told_and_with_room_the_same_command_continues(
    template: Template, undisturbed: Undisturbed, small_disk: Path, step: int
):
    """In CI every third size; the next test passes through all of them."""
    folder = make_folder(small_disk)
    filler = folder / "filler"
    for n_pages in count(0, step):
        filler.write_bytes(bytes(shutil.disk_usage(folder).free - n_pages * PAGE_BYTES))
        life = template.live(folder)
        filler.unlink()
        if life.exit_code == 0:
            break
        assert life.exit_code == 2, life
        assert_tells_of_a_full_disk(life.err)
        live_through(template, folder, [], undisturbed)
        shutil.rmtree(folder / ".sweeps")
    assert without_extras(outcome(folder, is_delivered=False)) == without_extras(undisturbed.outcome)
    assert n_pages > 10, "the disk was hardly ever too small"


def test_a_sweep_that_is_given_a_page_at_a_time_ends_as_the_undisturbed_one(
    template: Template, undisturbed: Undisturbed, small_disk: Path
):
    """The disk is full again and again, each life comes a little further."""
    folder = make_folder(small_disk)
    filler = folder / "filler"
    n_free = shutil.disk_usage(folder).free
    filler.write_bytes(bytes(n_free))
    for n_pages in count(1):
        os.truncate(filler, n_free - n_pages * PAGE_BYTES)
        life = template.live(folder)
        if life.exit_code == 0:
            break
        assert life.exit_code == 2, life
        assert_tells_of_a_full_disk(life.err)
    assert without_extras(outcome(folder, is_delivered=False)) == without_extras(undisturbed.outcome)
    assert n_pages > 10
