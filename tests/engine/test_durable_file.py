"""A file of ours is the old one or the new one, whatever happens while it is written."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.durable_file import READABLE, leftovers, sync, unfinished_name, write_durably
from tests.conftest import REPOSITORY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "address"
    path.write_text("old")
    return path


def names(path: Path) -> list[str]:
    return [entry.name for entry in path.parent.iterdir()]


def test_it_is_on_the_disk_before_it_has_its_name_and_private(path: Path, monkeypatch: pytest.MonkeyPatch):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda file: seen.append((path.read_text(), os.fstat(file).st_size)))
    write_durably(path, b"the new one")
    assert seen == [("old", 11)]
    assert path.read_bytes() == b"the new one"
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(path) == ["address"]


def test_what_others_may_read_has_the_permissions_that_the_user_s_mask_leaves(path: Path):
    before = os.umask(0o027)
    try:
        write_durably(path, b"new", READABLE)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_write_that_fails_leaves_the_old_file_and_no_other(path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_durably(path, b"new")
    assert path.read_text() == "old"
    assert names(path) == ["address"]


def test_a_kill_while_it_is_written_leaves_the_old_file_and_one_whose_name_ends_in_new(path: Path):
    program = """if True:
        import os, signal, sys
        from pathlib import Path
        from engine.durable_file import write_durably
        os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
        write_durably(Path(sys.argv[1]), b"new")
    """
    done = subprocess.run([sys.executable, "-c", program, str(path)], cwd=REPOSITORY, check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    (left,) = set(names(path)) - {"address"}
    assert left.startswith(".address.")
    assert left.endswith(".new")


def test_two_processes_write_one_file_under_two_names(path: Path):
    program = "import sys; from pathlib import Path; from engine.durable_file import unfinished_name as n; "
    program += "print(n(Path(sys.argv[1])))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() != str(unfinished_name(path))


def test_only_what_a_process_that_has_ended_was_writing_is_left_over(path: Path):
    program = "import sys; from pathlib import Path; from engine.durable_file import unfinished_name as n; "
    program += "n(Path(sys.argv[1])).touch()"
    subprocess.run([sys.executable, "-c", program, str(path)], cwd=REPOSITORY, check=True)
    unfinished_name(path).touch()
    path.with_name("address.new").touch()  # as releases until 2026-11-27 called it
    left = {file.name for file in leftovers(path.parent)}
    assert left == set(names(path)) - {"address", unfinished_name(path).name}
    assert len(left) == 2


def test_a_folder_can_be_synced_too(path: Path, monkeypatch: pytest.MonkeyPatch):
    seen = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (seen.append(os.fstat(descriptor).st_ino), fsync(descriptor)))
    sync(path)
    sync(path.parent)
    assert seen == [path.stat().st_ino, path.parent.stat().st_ino]
