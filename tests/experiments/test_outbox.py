import stat
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.errors import InputError
from experiments.fact_json import to_json
from experiments.facts import SweepFinished, TrialFinished, VerdictReached
from experiments.outbox import Outbox
from tests.support.damage import MANY_DAMAGES, damages


def trial(number: int, n_points: int = 1) -> TrialFinished:
    curve = [(i, i / 7) for i in range(n_points)]
    return TrialFinished("cats/1", number, "COMPLETE", False, {"depth": 2}, {"cost": 0.5}, {"cost": curve}, 1.0, 2.0)


def finish(sequence: int) -> SweepFinished:
    return SweepFinished("cats/1", "KILLED", 9.0, {}, {}, "", {}, None, sequence)


def filled(path: Path, n_trials: int) -> Outbox:
    outbox = Outbox(path)
    for number in range(n_trials):
        assert outbox.append(trial(number))
    return outbox


def numbers(outbox: Outbox) -> list[int]:
    return [fact.number for _, fact in outbox.facts() if isinstance(fact, TrialFinished)]


def test_facts_come_back_in_order_with_positions_from_1(tmp_path: Path):
    filled(tmp_path / "outbox", 3)
    assert Outbox(tmp_path / "outbox").facts(after=1) == [(2, trial(1)), (3, trial(2))]


def test_the_first_fact_of_a_key_stays_also_after_a_restart(tmp_path: Path):
    outbox = filled(tmp_path / "outbox", 1)
    assert not outbox.append(trial(0, n_points=5))
    assert not Outbox(tmp_path / "outbox").append(trial(0, n_points=5))
    assert Outbox(tmp_path / "outbox").facts() == [(1, trial(0))]


def test_the_last_success_is_the_last_end_that_left_a_model_whatever_came_after(tmp_path: Path):
    outbox = filled(tmp_path / "outbox", 1)
    assert outbox.last_success() is None
    outbox.append(finish(1))
    assert outbox.last_success() is None
    ends = [replace(finish(n), state="FINISHED", model_file="model.h5") for n in (2, 3)]
    for end in (*ends, finish(4)):
        outbox.append(end)
        outbox.append(trial(end.sequence))
    assert Outbox(tmp_path / "outbox").last_success() == ends[1]
    assert outbox.last_finish() == finish(4)


def test_what_was_delivered_is_remembered_also_out_of_order(tmp_path: Path):
    outbox = filled(tmp_path / "outbox", 4)
    outbox.mark_delivered(1)
    outbox.mark_delivered(3)
    again = Outbox(tmp_path / "outbox")
    assert (outbox.n_pending, again.n_pending) == (2, 2)
    assert [position for position, _ in again.pending()] == [2, 4]
    again.mark_delivered(2)
    outbox.reload_delivered()
    assert [position for position, _ in outbox.pending()] == [4]


def test_the_run_that_facts_go_to_is_remembered_with_them(tmp_path: Path):
    outbox = filled(tmp_path / "outbox", 2)
    assert outbox.run_id is None
    outbox.keep_run_id("a1b2")
    outbox.mark_delivered(1)
    again = Outbox(tmp_path / "outbox")
    assert (again.run_id, again.n_pending) == ("a1b2", 1)
    (tmp_path / "outbox.delivered").unlink()
    again.reload_delivered()
    assert again.run_id is None


def test_a_memory_of_deliveries_from_before_runs_were_remembered_is_read(tmp_path: Path):
    filled(tmp_path / "outbox", 2)
    (tmp_path / "outbox.delivered").write_text('{"delivered_until": 1, "also": []}')
    outbox = Outbox(tmp_path / "outbox")
    assert (outbox.run_id, outbox.n_pending) == (None, 1)


@pytest.mark.parametrize("content", [b"", b"{", b'{"delivered_until":"many","also":[]}', b"[]", b"null"])
def test_a_damaged_memory_of_deliveries_means_deliver_again(tmp_path: Path, content: bytes):
    filled(tmp_path / "outbox", 2).mark_delivered(1)
    (tmp_path / "outbox.delivered").write_bytes(content)
    assert Outbox(tmp_path / "outbox").n_pending == 2


def test_every_torn_last_line_is_ignored_and_cut_off_by_the_next_fact(tmp_path: Path):
    path = tmp_path / "outbox"
    filled(path, 2)
    whole = path.read_bytes()
    start = whole.index(b"\n") + 1
    for length in range(start, len(whole)):
        path.write_bytes(whole[:length])
        outbox = Outbox(path)
        assert numbers(outbox) == [0], length
        assert path.read_bytes() == whole[:length], "opening only reads"
        assert outbox.append(trial(1))
        assert path.read_bytes() == whole


def test_a_last_line_of_zeros_from_a_power_cut_counts_as_torn(tmp_path: Path):
    path = tmp_path / "outbox"
    filled(path, 1)
    with path.open("ab") as file:
        file.write(b'{"key":"trial-0001","fact":"Tri' + bytes(40) + b"\n")
    assert numbers(Outbox(path)) == [0]


def test_damage_in_the_middle_is_read_over_and_told_with_its_line(tmp_path: Path):
    path = tmp_path / "outbox"
    filled(path, 3)
    assert Outbox(path).damage is None
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"garbage\n" + lines[2])
    outbox = Outbox(path)
    assert numbers(outbox) == [0, 2]
    with pytest.raises(InputError, match=r"outbox line 2: damaged\. 2 facts are sound .* python -m sweeps doctor"):
        outbox.checked()
    assert outbox.append(trial(1))  # a run writes it down again
    assert numbers(Outbox(path)) == [0, 2, 1]


@MANY_DAMAGES
def test_whatever_happens_to_the_file_a_fact_is_the_one_that_was_written_or_its_line_is_named(
    tmp_path: Path, n_damages: int
):
    path = tmp_path / "outbox"
    expected = dict(filled(path, 30).facts())
    whole = path.read_bytes()
    lines = set(whole.splitlines())
    for what, damaged in damages(whole, n_damages):
        path.write_bytes(damaged)
        outbox = Outbox(path)
        assert all(fact in expected.values() for _, fact in outbox.facts()), what
        bad = [number for number, line in enumerate(damaged.split(b"\n")[:-1], 1) if line not in lines]
        assert (outbox.damage is not None) == bool(bad), what
        if bad:
            assert f"outbox line{'s' * (len(bad) > 1)} {', '.join(map(str, bad[:5]))}" in str(outbox.damage), what
            sound = outbox.facts()
            assert "kept as outbox.damaged" in (outbox.mend() or ""), what
            assert outbox.facts() == sound, what
            assert (outbox.damage, Outbox(path).damage) == (None, None), what
            path.with_name("outbox.damaged").unlink()


@MANY_DAMAGES
def test_a_damaged_memory_of_deliveries_never_makes_a_fact_delivered_that_is_not(tmp_path: Path, n_damages: int):
    path = tmp_path / "outbox"
    outbox = filled(path, 12)
    outbox.keep_run_id("a1b2")
    for position in (1, 2, 3, 5, 9):
        outbox.mark_delivered(position)
    memory = tmp_path / "outbox.delivered"
    for what, damaged in damages(memory.read_bytes(), n_damages):
        memory.write_bytes(damaged)
        again = Outbox(path)
        assert (again.run_id, again.n_pending) in ((None, 12), ("a1b2", 7)), what


def test_what_was_delivered_stays_so_when_a_line_before_it_is_damaged(tmp_path: Path):
    path = tmp_path / "outbox"
    outbox = filled(path, 6)
    for position in (1, 2, 3, 5):
        outbox.mark_delivered(position)
    merged = path.read_bytes().replace(b"\n", b" ", 1)  # two lines become one that is no fact
    path.write_bytes(merged)
    again = Outbox(path)
    assert [fact.number for _, fact in again.pending() if isinstance(fact, TrialFinished)] == [3, 5]


def test_a_file_of_an_earlier_release_is_read_and_what_is_no_fact_in_it_told(tmp_path: Path):
    path = tmp_path / "outbox"
    lines = [to_json(trial(number)).encode() + b"\n" for number in range(3)]
    path.write_bytes(b"".join(lines))
    assert (numbers(Outbox(path)), Outbox(path).damage) == ([0, 1, 2], None)
    path.write_bytes(lines[0] + lines[1].replace(b"COMPLETE", b'COMP"ETE') + lines[2])
    assert "outbox line 2: damaged." in str(Outbox(path).damage)


def test_only_the_owner_may_read_the_files(tmp_path: Path):
    filled(tmp_path / "outbox", 1).mark_delivered(1)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"outbox": 0o600, "outbox.delivered": 0o600}


def test_ends_of_the_study_are_counted(tmp_path: Path):
    outbox = filled(tmp_path / "outbox", 1)
    assert outbox.n_finished == 0
    outbox.append(finish(1))
    outbox.append(trial(1))
    outbox.append(finish(outbox.n_finished + 1))
    again = Outbox(tmp_path / "outbox")
    assert (again.n_finished, again.position_of_last_finish()) == (2, 4)


def test_a_study_is_open_until_it_stops_and_a_verdict_on_its_model_opens_it_no_more(tmp_path: Path):
    outbox = filled(tmp_path / "outbox", 1)
    assert outbox.is_open
    outbox.append(finish(1))
    verdict = VerdictReached("cats/1", "abc", "{}")
    outbox.append(verdict)
    assert not outbox.is_open
    assert (Outbox(outbox.path).verdict("abc"), outbox.verdict("abd")) == (verdict, None)
    outbox.append(trial(1))
    assert outbox.is_open


def test_importing_the_outbox_and_the_delivery_does_not_import_mlflow():
    program = "import sys, experiments.outbox, experiments.delivery; print('mlflow' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert run.stdout == "False\n"


def test_a_full_disk_raises_and_leaves_no_half_line(tmp_path: Path):
    path = tmp_path / "outbox"
    filled(path, 3)
    limit = path.stat().st_size + 100
    # A file size limit stops write() in the middle of a line, as a full disk does.
    program = f"""
        import errno, resource, signal
        from pathlib import Path
        from experiments.outbox import Outbox
        from experiments.facts import TrialFinished

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
        outbox = Outbox(Path({str(path)!r}))
        fact = TrialFinished("cats/1", 3, "COMPLETE", False, {{"long": "x" * 500}}, {{}}, {{}}, 1.0, 2.0)
        try:
            outbox.append(fact)
        except OSError as error:
            print(errno.errorcode[error.errno], outbox.n_pending)
    """
    before = path.read_bytes()
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, capture_output=True, text=True)
    assert run.stdout == "EFBIG 3\n"
    assert path.read_bytes() == before
    assert Outbox(path).append(trial(3))


def test_a_kill_at_any_instant_leaves_a_whole_prefix_of_what_was_acknowledged(tmp_path: Path):
    path = tmp_path / "outbox"
    program = f"""
        from pathlib import Path
        from experiments.outbox import Outbox
        from experiments.facts import TrialFinished

        outbox = Outbox(Path({str(path)!r}))
        for number in range(outbox.n_facts, 100000):
            curve = [(i, i / 7) for i in range(50)]
            outbox.append(TrialFinished("s", number, "COMPLETE", False, {{}}, {{}}, {{"c": curve}}, 1.0, 2.0))
            print(number, flush=True)
    """
    for n_lines in (1, 7, 20, 55):
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            acknowledged = [int(process.stdout.readline()) for _ in range(n_lines)]
            process.kill()
            acknowledged += [int(line) for line in process.stdout.read().splitlines()]
        assert numbers(Outbox(path)) == list(range(len(Outbox(path).facts())))
        assert Outbox(path).n_facts in (acknowledged[-1] + 1, acknowledged[-1] + 2)


def test_what_another_process_appends_is_seen_when_asked_for_and_not_before_it_is_whole(tmp_path: Path):
    writer = filled(tmp_path / "outbox", 1)
    reader = Outbox(tmp_path / "outbox")
    writer.append(trial(1))
    assert numbers(reader) == [0]
    reader.refresh()
    assert numbers(reader) == [0, 1]
    whole = (tmp_path / "outbox").read_bytes()
    writer.append(trial(2))
    longer = (tmp_path / "outbox").read_bytes()
    for length in range(len(whole), len(longer)):
        (tmp_path / "outbox").write_bytes(longer[:length])
        reader.refresh()
        assert numbers(reader) == [0, 1], length
    (tmp_path / "outbox").write_bytes(longer)
    reader.refresh()
    assert numbers(reader) == [0, 1, 2]
    assert [position for position, _ in reader.pending()] == [1, 2, 3]


def test_a_reader_that_looks_while_facts_are_written_sees_each_once(tmp_path: Path):
    path = tmp_path / "outbox"
    writer = filled(path, 1)
    reader = Outbox(path)
    thread = threading.Thread(target=lambda: [writer.append(trial(n, n_points=300)) for n in range(1, 200)])
    thread.start()
    while thread.is_alive():
        reader.refresh()
    thread.join()
    reader.refresh()
    assert numbers(reader) == list(range(200))


def test_one_trial_all_trials_without_curves_and_the_last_end_are_found_by_their_keys(tmp_path: Path):
    outbox = filled(tmp_path / "outbox", 3)
    assert outbox.last_finish() is None
    assert outbox.append(finish(1))
    assert outbox.append(trial(3, n_points=100))
    assert outbox.append(finish(2))
    again = Outbox(tmp_path / "outbox")
    assert again.trial(3) == trial(3, n_points=100)
    assert again.trial(4) is None
    assert list(again.trials_without_curves()) == [replace(trial(number), curves={}) for number in range(4)]
    assert again.last_finish() == finish(2)
