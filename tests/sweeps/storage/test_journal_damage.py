"""Whatever happens to a journal: what stands in it is what stood in it, or its place is said and a way out."""

import json
import re
from pathlib import Path

import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from sweeps.storage.journal import Journal, read_journal
from sweeps.storage.journal_damage import JournalDamagedError, mended
from sweeps.storage.stored_study import StoredStudy
from tests.support.damage import MANY_DAMAGES, damages
from tests.sweeps.support.small_sweep import new_study, run_schedule, table

TOLD = (
    r"journal\.log line \d+: damaged( in small/\d)?\. (1 trial|\d+ trials) that ended before it (is|are) sound; .*"
    r"Restore the file from a backup, or type: python -m sweeps doctor --fix\."
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The journal of one small sweep."""
    path = tmp_path_factory.mktemp("whole") / "journal.log"
    run_schedule(new_study(Journal(path)))
    return path.read_bytes()


def rows(storage: JournalStorage) -> list[dict]:
    """The table of the first study, if there is one."""
    studies = storage.get_all_studies()
    return table(StoredStudy(storage, 0, studies[0].study_name)) if studies else []


@pytest.fixture(scope="module")
def expected(whole: bytes, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    path = tmp_path_factory.mktemp("expected") / "journal.log"
    path.write_bytes(whole)
    return rows(read_journal(path))


@MANY_DAMAGES
def test_what_is_read_of_a_damaged_journal_is_what_it_held_and_the_rest_is_said(
    tmp_path: Path, whole: bytes, expected: list[dict], n_damages: int
) -> None:
    path = tmp_path / "journal.log"
    n_told = 0
    for what, damaged in damages(whole, n_damages):
        path.write_bytes(damaged)
        said: list[str] = []
        try:
            found = rows(read_journal(path))
        except JournalDamagedError as damage:
            assert re.search(TOLD, str(damage)), what  # noqa: PT017  # of many
            n_told += 1
            Journal(path, said.append)
            assert path.with_name("journal.log.damaged").read_bytes() == damaged, what
            path.with_name("journal.log.damaged").unlink()
            assert "kept as journal.log.damaged" in said[0], what
            found = rows(read_journal(path))
        for trial in found:  # a trial that has ended in it is the one that ended
            if trial["state"] != "RUNNING":
                assert trial == expected[trial["number"]], what
    assert n_told > n_damages / 2


@pytest.mark.parametrize("share", [0.2, 0.5, 0.97])
def test_a_sweep_goes_on_from_before_the_damage_to_the_same_bits(
    tmp_path: Path, whole: bytes, expected: list[dict], share: float
) -> None:
    path = tmp_path / "journal.log"
    damaged = bytearray(whole)
    damaged[int(share * len(whole))] ^= 2
    path.write_bytes(damaged)
    storage = Journal(path)
    assert 0 < len(storage.get_all_trials(0)) <= len(expected)
    run_schedule(StoredStudy(storage, 0, "small/1"))
    assert rows(read_journal(path)) == expected


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"{}",
        b"17",
        b'{"op_code":99,"worker_id":"a"}',
        b'{"op_code":6,"worker_id":"a"}',
        b'{"op_code":6,"worker_id":"a","trial_id":[],"state":1,"values":null}',
        b'{"op_code":4,"worker_id":"a","study_id":0,"datetime_start":"yesterday"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b"",
    ],
)
def test_a_line_that_is_no_operation_is_told_with_its_place(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "journal.log"
    new_study(Journal(path))
    n_lines = path.read_bytes().count(b"\n")
    with path.open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(JournalDamagedError, match=rf"journal\.log line {n_lines + 1}: damaged in small/1\. 0 trials"):
        read_journal(path)


def test_studies_that_began_after_the_damage_are_named_and_forgotten_only_when_told_to(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    journal = Journal(path)
    new_study(journal, "small/1")
    before = path.read_bytes()
    for name in ("small/2", "small/3"):
        new_study(journal, name)
    damaged = bytearray(path.read_bytes())
    damaged[len(before) - 3] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(JournalDamagedError, match="cannot be trusted, nor that of small/2, small/3") as raised:
        Journal(path)
    assert path.read_bytes() == damaged
    assert "Forgotten: small/2, small/3; models and reports are where they were." in mended(raised.value)
    assert [study.study_name for study in Journal(path).get_all_studies()] == ["small/1"]
    assert path.with_name("journal.log.damaged").read_bytes() == damaged


def test_a_journal_of_an_earlier_release_is_read_and_gone_on_with(tmp_path: Path, expected: list[dict], whole: bytes):
    lines = [json.loads(line) for line in whole.splitlines()]
    path = tmp_path / "journal.log"
    for line in lines:
        del line["checksum"]
    path.write_bytes(b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines))
    assert rows(Journal(path)) == rows(read_journal(path)) == rows(JournalStorage(JournalFileBackend(str(path))))
    assert rows(read_journal(path)) == expected
