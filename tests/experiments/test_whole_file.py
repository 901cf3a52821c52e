import errno
import os
from pathlib import Path

import pytest

from experiments.errors import InputError
from experiments.whole_file import unfinished_file, whole_file


def test_a_file_has_its_name_when_the_block_ends_well_and_not_before(tmp_path: Path):
    path = tmp_path / "page.html"
    with whole_file(path) as file:
        file.write("all of it, ü\n")
        assert not path.exists()
    assert path.read_text("utf-8") == "all of it, ü\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as file:
        file.write("new")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


def test_a_full_disk_is_not_taken_for_a_wrong_name(tmp_path: Path):
    with pytest.raises(OSError, match="No space") as error, whole_file(tmp_path / "page.html"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert error.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())


def test_an_impossible_place_is_told_before_the_block(tmp_path: Path):
    for place in (tmp_path, tmp_path / "nowhere" / "page.html"):
        with pytest.raises(InputError, match="cannot be written"), whole_file(place):
            pytest.fail("the work was begun")


def test_what_a_symbolic_link_names_is_replaced_and_not_the_link(tmp_path: Path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "latest.html"
    link.symlink_to(tmp_path / "real" / "page.html")
    with whole_file(link) as file:
        file.write("new")
    assert link.is_symlink()
    assert (tmp_path / "real" / "page.html").read_text() == "new"


def test_a_pipe_takes_the_text_and_stays_a_pipe(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with whole_file(pipe) as file:
            file.write("through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_a_new_file_has_the_permissions_that_the_user_s_mask_leaves(tmp_path: Path):
    before = os.umask(0o027)
    try:
        with whole_file(tmp_path / "page.html") as file:
            file.write("")
    finally:
        os.umask(before)
    assert (tmp_path / "page.html").stat().st_mode & 0o777 == 0o640


def test_what_others_write_by_its_path_has_its_name_in_the_end_or_leaves_nothing(tmp_path: Path):
    path = tmp_path / "table.csv"
    with unfinished_file(path) as unfinished:
        unfinished.write_text("all")
        assert not path.exists()
    with pytest.raises(ZeroDivisionError, match="by zero"), unfinished_file(path) as unfinished:
        unfinished.write_text("half")
        1 // 0  # noqa: B018
    assert path.read_text() == "all"
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]
