"""A study in a database: a real PostgreSQL, started by the tests, killed by them, with a password; MySQL's URL."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from optuna.storages import RDBStorage

import sweeps.storage.database
from experiments.errors import InputError
from sweeps.results.status import find_study, study_statuses
from sweeps.run import run_sweep
from sweeps.storage import study_lease
from sweeps.storage.database import StorageLostError, answering, open_database
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.study_lease import StudyLease, place_of
from sweeps.storage.workspace import LeaseHeldError, Workspace
from tests.conftest import REPOSITORY
from tests.support.servers import free_port
from tests.support.waiting import wait_for
from tests.sweeps.support.command_line import IRIS, CommandLine, changed
from tests.sweeps.support.small_sweep import new_study, run_schedule, small_config, table, undisturbed_table

PASSWORD = "pa-55/w@rd"  # noqa: S105  # of a server that lives for one test run; it must be quoted in a URL
QUOTED = "pa-55%2Fw%40rd"
URL = "postgresql+psycopg://sweeps:${PGPASS}@127.0.0.1:${PGPORT_}/sweeps"


def server_programs() -> Path | None:
    """Folder of initdb and pg_ctl, which Debian keeps out of PATH."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return installed[-1].parent if installed else None


@dataclass
class Postgres:
    """A server of our own; PostgreSQL refuses to be root, so then it belongs to somebody else."""

    programs: Path
    directory: Path
    port: int

    def _run(self, program, *arguments):
        command = [str(self.programs / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "nobody", "--", *command]
        # not captured: the server would keep the pipe open for ever
        with (self.directory.parent / "commands.log").open("ab") as log:
            subprocess.run(command, check=True, cwd=self.directory.parent, stdout=log, stderr=log, timeout=60)

    def create(self):
        if os.geteuid() == 0:
            shutil.chown(self.directory.parent, "nobody")
        self._run("initdb", "-D", str(self.directory), "-U", "sweeps", "-A", "scram-sha-256", "-E", "UTF8",
                  "--no-sync", "--pwfile", str(self._password_file()))  # fmt: skip

    def _password_file(self):
        path = self.directory.parent / "password"
        path.write_text(PASSWORD)
        path.chmod(0o644)
        return path

    def start(self):
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        log = str(self.directory.parent / "server.log")
        self._run("pg_ctl", "-D", str(self.directory), "-l", log, "-w", "-o", options, "start")

    def stop(self):
        self._run("pg_ctl", "-D", str(self.directory), "-m", "immediate", "stop")

    def url(self, database="sweeps", password=QUOTED):
        return f"postgresql+psycopg://sweeps:{password}@127.0.0.1:{self.port}/{database}"

    @property
    def environment(self):
        return {"PGPASS": QUOTED, "PGPORT_": str(self.port)}

    def connect(self, database):
        import psycopg

        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="sweeps", password=PASSWORD, dbname=database, autocommit=True
        )

    def create_database(self, name):
        with self.connect("postgres") as connection:
            connection.execute(f'drop database if exists "{name}" with (force)')
            connection.execute(f'create database "{name}"')


@pytest.fixture(scope="module")
def server():
    pytest.importorskip("psycopg", reason="PostgreSQL's driver is not installed: pip install 'sweeps[postgres]'")
    programs = server_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server here: neither initdb in PATH nor /usr/lib/postgresql/*/bin")
    if os.geteuid() == 0 and shutil.which("runuser") is None:
        pytest.skip("PostgreSQL refuses to run as root, and there is no runuser to be somebody else")
    with tempfile.TemporaryDirectory(prefix="sweeps-postgres-") as directory:  # pytest's own are closed to others
        server = Postgres(programs, Path(directory) / "data", free_port())
        server.create()
        server.start()
        yield server
        if server_answers(server):
            server.stop()


def server_answers(server):
    import psycopg

    try:
        server.connect("postgres").close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture(autouse=True)
def _connections_are_closed(monkeypatch):
    """Optuna leaves its pool to the end of the process, which here comes after many tests."""
    opened = []

    class Remembered(RDBStorage):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            opened.append(self)

    monkeypatch.setattr(sweeps.storage.database, "RDBStorage", Remembered)
    yield
    for storage in opened:
        storage.remove_session()
        storage.engine.dispose()


@pytest.fixture
def database(server):
    """An empty database on a server that runs."""
    if not server_answers(server):
        server.start()
    server.create_database("sweeps")
    return server


@pytest.fixture
def here(tmp_path, monkeypatch, database, with_store):
    """The command line in a folder of its own, with the server's password in the environment."""
    for name, value in database.environment.items():
        monkeypatch.setenv(name, value)
    return CommandLine(with_store(tmp_path / "work"))


N_TRIALS = 24
LONGER = changed(IRIS, sweep={"name": "flowers", "n_trials": N_TRIALS}, study={"trials_in_flight": 3, "storage": URL})


def n_recorded(server):
    """Reports in the database."""
    import psycopg

    with server.connect("sweeps") as connection:
        try:
            return connection.execute("select count(*) from trial_intermediate_values").fetchone()[0]
        except psycopg.errors.UndefinedTable:
            return 0


@pytest.fixture(scope="module")
def journal_trials(tmp_path_factory, with_store):
    """The table of the longer sweep in the default storage, run without disturbance."""
    here = CommandLine(with_store(tmp_path_factory.mktemp("journal") / "work"))
    here.write(values=LONGER | {"study": {"trials_in_flight": 3}})
    done = here.run("run", "flowers.toml", "--quiet")
    assert done.returncode == 0, done.stderr
    return here.trials()


def test_a_sweep_on_postgresql_gives_the_table_of_a_sweep_in_memory_bit_for_bit(database):
    run_schedule(new_study(open_database(database.url())))
    (stored,) = StoredStudy.all_of(open_database(database.url()))
    assert table(stored) == undisturbed_table()


def test_the_command_line_on_postgresql_gives_the_trials_of_the_journal_and_shows_them(here, journal_trials):
    here.write(values=LONGER)
    document = here.json("run", "flowers.toml", "--quiet")
    assert document["state"] == "FINISHED"
    assert here.trials() == journal_trials  # by the command line, as the journal's
    (status,) = here.json("status")["studies"]
    assert (status["name"], status["state"], status["n_ended"]) == (document["study"], "FINISHED", N_TRIALS)
    assert here.json("leaderboard", "flowers")["study"] == document["study"]
    assert not (here.directory / ".sweeps" / "flowers" / "journal.log").exists()
    for path in here.directory.rglob("*"):
        assert not path.is_file() or not any(word.encode() in path.read_bytes() for word in (PASSWORD, QUOTED)), path


def trials(here):
    """The leaderboard of the newest study of a folder, without the time that a process takes to start."""
    return [row.to_dict() for row in find_study(Workspace(here.directory), None).leaderboard()]


def test_a_killed_coordinator_continues_to_the_undisturbed_table(here, database, journal_trials):
    here.write(values=LONGER)
    with here.start("run", "flowers.toml", "--quiet") as process:
        wait_for(lambda: n_recorded(database) >= 15, "the fifteenth report", process=process)
        os.killpg(process.pid, signal.SIGKILL)
    workspace = Workspace(here.directory)
    assert [status.state for status in study_statuses(workspace, None)[0]] == ["INTERRUPTED"]
    assert here.run("run", "flowers.toml", "--quiet").returncode == 0
    assert [(status.state, status.n_ended) for status in study_statuses(workspace, None)[0]] == [("FINISHED", N_TRIALS)]
    assert trials(here) == journal_trials


def test_a_server_that_stops_in_mid_sweep_is_one_message_and_the_same_command_continues(here, database, journal_trials):
    here.write(values=LONGER)
    with here.start("run", "flowers.toml", "--quiet") as process:
        wait_for(lambda: n_recorded(database) >= 10, "the tenth report", process=process)
        database.stop()
        out, err = process.communicate(timeout=90)
    assert process.returncode == 2, err
    assert re.search(r"stopped answering .*same command", err)
    assert (out, err.count("\n")) == ("", 1), err
    assert QUOTED not in err
    assert "Traceback" not in err
    database.start()
    assert here.run("run", "flowers.toml", "--quiet").returncode == 0
    assert trials(here) == journal_trials


def test_a_server_that_is_restarted_between_two_writes_is_not_noticed(database):
    stored = new_study(open_database(database.url()))
    stored.set_attribute("n_trials", 1)
    database.stop()
    database.start()
    stored.set_attribute("n_trials", 2)
    assert stored.attributes.n_trials == 2


@pytest.mark.parametrize(
    ("part", "wrong", "message"),
    [
        (QUOTED, "guess", r"sweeps:\*\*\*@127.*password authentication failed.*export NAME="),
        ("/sweeps$", "/nowhere", r'sweeps:\*\*\*@.*database "nowhere" does not exist.*createdb'),
        ("@127[.]0[.]0[.]1", "@host.invalid", r"\*\*\*@host.invalid.*[Ss]tart the server, or correct host"),
        (":[0-9]+/", ":1/", r"cannot be opened .*refused.*Start the server"),
    ],
)
def test_what_is_wrong_with_a_url_is_said_without_its_password(database, part, wrong, message):
    url = re.sub(part, wrong, database.url())
    with pytest.raises(InputError, match=message) as caught:
        open_database(url)
    assert "guess" not in str(caught.value)
    assert QUOTED not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.slow
def test_status_of_a_study_whose_server_is_down_says_so_and_other_sweeps_are_seen(here, database):
    here.write(values=LONGER)
    assert here.run("run", "flowers.toml", "--trials", "2", "--quiet").returncode == 0
    here.write("other.toml", changed(IRIS, sweep={"name": "other", "n_trials": 2}))
    assert here.run("run", "other.toml", "--quiet").returncode == 0
    database.stop()
    down = here.run("leaderboard", "flowers")
    assert down.returncode == 2
    assert re.search(r"cannot be opened .*refused", down.stderr), down.stderr
    assert here.json("leaderboard", "other")["study"].startswith("other/")
    database.start()
    assert len(here.json("status")["studies"]) == 2


# --- one writer, whatever the machine ---


@pytest.fixture
def fast_lease(monkeypatch):
    monkeypatch.setattr(study_lease, "BEAT_SECONDS", 0.3)


@pytest.fixture
def shared(tmp_path):
    """The same study as two machines see it."""
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    new_study(open_database(url))
    return [StoredStudy.all_of(open_database(url))[0] for _ in range(2)]


@pytest.mark.usefixtures("fast_lease")
def test_a_study_that_another_machine_works_on_is_refused(shared):
    with StudyLease(shared[0], "a:/work") as lease:
        with pytest.raises(LeaseHeldError, match=r"small/1: another run of this sweep is alive \(a:/work\)"):
            StudyLease(shared[1], "b:/work").__enter__()
        lease.check()
    with StudyLease(shared[1], "b:/work"):  # released
        pass


def test_two_clones_of_a_machine_are_two_places(tmp_path, monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "worker")
    places = set()
    for address in (0x020000000001, 0x020000000002):
        monkeypatch.setattr("uuid.getnode", lambda address=address: address)
        places |= {place_of(Workspace(tmp_path)), place_of(Workspace(tmp_path))}
    assert len(places) == 2
    monkeypatch.setattr("uuid.getnode", lambda: 0x010000000001)  # made up, so another one after a restart
    assert place_of(Workspace(tmp_path)) == f"worker:{tmp_path}"


@pytest.mark.usefixtures("fast_lease")
def test_the_lease_of_a_machine_that_died_is_taken_over(shared):
    shared[0].set_attribute("lease", "token 7 a:/work")
    with StudyLease(shared[1], "b:/work") as lease:
        lease.check()
        assert shared[0].attributes.lease.endswith("b:/work")
    assert shared[0].attributes.lease == ""


def test_the_lease_of_a_process_that_died_in_the_same_folder_needs_no_waiting(shared):
    shared[0].set_attribute("lease", "token 7 a:/work")
    began_at = time.monotonic()
    with StudyLease(shared[1], "a:/work"):
        assert time.monotonic() - began_at < study_lease.BEAT_SECONDS


@pytest.mark.usefixtures("fast_lease")
def test_a_run_whose_study_was_taken_over_while_it_slept_stops_and_leaves_the_other_alone(shared):
    with StudyLease(shared[0], "a:/work") as asleep:
        shared[1].set_attribute("lease", "other 1 b:/work")
        wait_for(lambda: asleep._is_lost, "the notice that the study was taken over")
        with pytest.raises(LeaseHeldError, match=r"alive \(b:/work\)"):
            asleep.check()
    assert shared[0].attributes.lease == "other 1 b:/work"


@pytest.mark.slow
def test_two_folders_with_one_database_take_one_study_and_the_second_leaves_with_75(here, tmp_path, with_store):
    elsewhere = CommandLine(with_store(tmp_path / "elsewhere"))
    values = changed(LONGER, sweep={"name": "flowers", "n_trials": 5000})
    for folder in (here, elsewhere):
        folder.write(values=values)
    with here.start("run", "flowers.toml", "--quiet") as first:
        wait_for(lambda: lease_of(here), "the lease of the first", process=first)
        second = elsewhere.run("run", "flowers.toml", "--quiet")
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=60)
    assert first.returncode == 143
    assert second.returncode == 75, second.stderr
    assert "another run of this sweep is alive" in second.stderr


def lease_of(here):
    """The lease of the newest study of a folder; empty before there is one."""
    try:
        return find_study(Workspace(here.directory), None).attributes.lease
    except InputError:
        return ""


@pytest.mark.slow
def test_another_machine_continues_a_study_and_finds_the_undisturbed_table(
    here, database, tmp_path, with_store, journal_trials
):
    here.write(values=LONGER)
    with here.start("run", "flowers.toml", "--quiet") as process:
        wait_for(lambda: n_recorded(database) >= 20, "the twentieth report", process=process)
        os.killpg(process.pid, signal.SIGKILL)
    elsewhere = CommandLine(with_store(tmp_path / "elsewhere"))
    elsewhere.write(values=LONGER)
    assert elsewhere.run("run", "flowers.toml", "--quiet").returncode == 0
    assert trials(elsewhere) == journal_trials
    assert here.json("status") == elsewhere.json("status")


@pytest.mark.usefixtures("warm_deliveries")
def test_studies_of_other_folders_in_the_database_are_not_this_folders(tmp_path, with_store):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    for name in ("a", "b"):
        with_store(tmp_path / name)
        config = small_config(sweep={"name": "small", "n_trials": 2, "seed": ord(name)}, study={"storage": url})
        run_sweep(config, directory=tmp_path / name)
    statuses = [study_statuses(Workspace(tmp_path / name), None)[0] for name in ("a", "b")]
    assert [len(found) for found in statuses] == [1, 1]
    assert statuses[0][0].name != statuses[1][0].name


def test_a_second_writer_is_noticed_before_it_spoils_the_table(tmp_path):
    from sweeps.search.live_study import LiveStudy
    from sweeps.trials.rungs import Rungs

    stored = new_study(open_database(f"sqlite:///{tmp_path / 'shared.db'}"))
    one, other = (LiveStudy(stored, small_config(), Rungs(54)) for _ in range(2))
    one.ask()
    with pytest.raises(InputError, match="trial 0 was written as trial 1"):
        other.ask()


# --- without a server ---


@pytest.mark.parametrize(
    ("url", "package"),
    [
        ("mysql+pymysql://sweeps:secret@localhost/sweeps", "pymysql"),
        ("mysql+mysqlconnector://sweeps:secret@localhost/sweeps", "mysqlconnector"),
        ("postgresql+psycopg://sweeps:secret@localhost/sweeps", r"psycopg\[binary\]"),
    ],
)
def test_a_driver_that_is_missing_is_named_with_what_to_type(url, package):
    program = (
        "import sys\n"
        "for name in ('pymysql', 'mysql', 'MySQLdb', 'psycopg'): sys.modules[name] = None\n"
        "from sweeps.storage.database import open_database\n"
        "try: open_database(sys.argv[1])\n"
        "except ValueError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, url], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert re.search(rf"driver is not installed .*pip install '{package}'", done.stdout), done.stdout + done.stderr
    assert "secret" not in done.stdout


@pytest.mark.parametrize("url", ["cats", "nosuch://user@host/db", "sqlite:////nonexistent/folder/optuna.db"])
def test_a_url_that_is_none_is_refused_in_three_parts(url):
    with pytest.raises(InputError, match=r"^\[study\] storage .*cannot be opened .* It must be .*"):
        open_database(url)


def test_only_a_configured_database_can_be_lost():
    from optuna.exceptions import StorageInternalError

    def lose():
        raise StorageInternalError("gone")

    url = "postgresql://u:secret@h/d"
    with (
        pytest.raises(StorageLostError, match=r"u:\*\*\*@h/d: stopped answering \(StorageInternalError: gone\)"),
        answering(url),
    ):
        lose()
    with pytest.raises(StorageInternalError, match="gone"), answering(None):
        lose()
