"""Each manifest as the tool that reads it understands it: the real one where it is here, else as documented."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from experiments.errors import InputError
from sweeps.configuration.config_file import file_of, load_config
from sweeps.results.exit_codes import MEANINGS, ExitCode
from sweeps.scheduling.manifest import FORMATS, manifest
from tests.conftest import REPOSITORY
from tests.sweeps.support.command_line import CommandLine, changed, mlflow_runs, toml

AWKWARD = "a b%c $d 'e' \"f\" ${{ g }}"
METRICS = "100% of $HOME's.prom"
TINY = {
    "sweep": {"name": "flowers", "n_trials": 2, "timeout_seconds": 100},
    "data": {"train": "sklearn:iris", "folds": 2},
    "search": {"n_iterations": 5, "depth": 0},
    "study": {"ensemble": 0},
    "execution": {"executor": "serial"},
}
WITH_SECRETS = changed(
    TINY,
    study={"storage": "postgresql+psycopg://me:${PGPASSWORD}@db.example.org/sweeps"},
    tracking={"uri": "${MLFLOW_TRACKING_URI}"},
)


def written(folder: Path, form: str, *, values=TINY, at="30 2 * * *", zone=None, image=None, options=()) -> str:
    """The manifest of a configuration in a folder whose name has everything that somebody might expand."""
    folder.mkdir(exist_ok=True)
    (folder / "my sweep.toml").write_text(toml(values))
    file = str(folder / "my sweep.toml")
    return manifest(load_config(file), file_of(file), at, form, zone, image, folder, options)


def needs(tool: str) -> str:
    """The path of a tool, or the test is left out."""
    found = shutil.which(tool)
    if found is None:
        pytest.skip(f"there is no {tool} here")
    return found


@pytest.mark.parametrize("form", FORMATS)
def test_every_manifest_says_what_a_run_needs_and_no_secret(form, tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:hunter2@mlflow.example.org")
    text = written(tmp_path, form, values=WITH_SECRETS)
    assert "hunter2" not in text
    comments = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    for name in ("PGPASSWORD", "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_PASSWORD"):
        assert re.search(rf"^#   {name}: ", comments, re.MULTILINE)
    for code, meaning in MEANINGS.items():
        assert f"#   {code.value}: {meaning}" in comments
    for paragraph in ("Environment:", "Lock:", "Deadline: 700 s", "Log:", "Missed night", "Change of the clock:"):
        assert f"# {paragraph}" in comments


def test_every_exit_code_has_a_meaning():
    assert set(MEANINGS) == set(ExitCode)


@pytest.mark.parametrize("form", FORMATS)
def test_a_sweep_without_a_limit_of_time_has_no_deadline(form, tmp_path):
    text = written(tmp_path, form, values=TINY | {"sweep": {"name": "flowers"}})
    assert "# Deadline: none" in text
    assert not re.search("timeout --kill|activeDeadlineSeconds|TimeoutStartSec=[0-9]", text)


def test_an_unknown_format_and_an_unknown_zone_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"--format kubernets: unknown\. Did you mean 'kubernetes'\?"):
        written(tmp_path, "kubernets")
    for zone in ("Europe/Berln", "../etc/passwd", "Europe"):
        with pytest.raises(InputError, match=f"--timezone {zone}: no such time zone"):
            written(tmp_path, "systemd", zone=zone)


# --- cron ---


def command_of(text: str) -> str:
    """What cron hands to /bin/sh: of the last line all behind five fields, with \\% unescaped."""
    command = text.splitlines()[-1].split(" ", 5)[5]
    assert not re.search(r"(?<!\\)%", command), "cron would end the command there"
    return command.replace(r"\%", "%")


def test_debians_cron_takes_the_crontab_and_refuses_a_wrong_one(tmp_path):
    crontab = needs("crontab")
    if "-n" not in subprocess.run([crontab, "-h"], capture_output=True, text=True, check=False).stderr:
        pytest.skip("this crontab cannot check a file without installing it")
    (tmp_path / "good").write_text(written(tmp_path / AWKWARD, "cron", at="*/15 1-3 1,15 jan *"))
    (tmp_path / "bad").write_text("0 25 * * * true\n")
    codes = [subprocess.run([crontab, "-n", tmp_path / name], check=False).returncode for name in ("good", "bad")]
    assert codes == [0, 1]


def test_a_job_started_as_cron_starts_it_leaves_its_study_in_mlflow(tmp_path, with_store):
    home = with_store(tmp_path / AWKWARD)
    text = written(home, "cron", options=("--metrics-file", METRICS))
    done = subprocess.run(
        ["/bin/sh", "-c", command_of(text)],
        env={"SHELL": "/bin/sh", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY)},  # no HOME, no TERM, no LANG
        cwd="/",
        umask=0o077,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    log = (home / "sweeps-flowers.log").read_text()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), log
    assert "FINISHED. 2 trials" in log
    assert "sweeps_" in (home / METRICS).read_text()
    assert [status for _, status, _ in mlflow_runs(home / "mlflow.db")] == ["FINISHED"] * 3
    assert stat.S_IMODE((home / "sweeps-flowers.log").stat().st_mode) == 0o600


def test_a_job_of_crons_that_fails_says_one_line_with_its_exit_code(tmp_path):
    text = written(tmp_path / AWKWARD, "cron", values=TINY | {"data": {"train": "nowhere.csv", "target": "y"}})
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(["/bin/sh", "-c", command_of(text)], env=environment, cwd="/", capture_output=True, text=True)
    log = tmp_path / AWKWARD / "sweeps-flowers.log"
    assert (done.stdout, done.stderr) == (f"sweeps-flowers: see {log}. Exit 2\n", "")
    assert "nowhere.csv" in log.read_text()


def test_cron_reads_secrets_from_a_file_and_does_not_start_without_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / AWKWARD))
    text = written(tmp_path / AWKWARD, "cron", values=WITH_SECRETS)
    show = command_of(text).replace(f"{sys.executable} -m sweeps run", "printenv PGPASSWORD; :")
    run = ["/bin/sh", "-c", show]
    without = subprocess.run(run, capture_output=True, text=True, check=False)
    assert without.returncode != 0
    assert "flowers.env" in without.stderr
    file = tmp_path / AWKWARD / ".config" / "sweeps" / "flowers.env"
    file.parent.mkdir(parents=True)
    file.write_text("PGPASSWORD='a $b'\n")
    subprocess.run(run, check=True, capture_output=True)


def test_cron_is_not_given_what_it_cannot_do(tmp_path):
    with pytest.raises(InputError, match="cron knows no time zone but the machine's"):
        written(tmp_path, "cron", zone="Pacific/Chatham")
    with pytest.raises(InputError, match=r"the command has \d+ characters\. Debian's cron takes 998"):
        written(tmp_path / ("long" * 60), "cron")
    with pytest.raises(InputError, match="a path or an option has a backslash in it"):
        written(tmp_path / "a\\b", "cron")


@pytest.mark.parametrize("form", FORMATS)
def test_a_line_break_in_a_path_is_refused(form, tmp_path):
    with pytest.raises(InputError, match="has a line break"):
        written(tmp_path / "a\nb", form)


# --- systemd ---


def split_units(text: str, folder: Path) -> list[Path]:
    """The two files, made by the command that the manifest says."""
    split = re.search(r"\| (awk '.*')$", text, re.MULTILINE)
    assert split is not None
    subprocess.run(split[1], shell=True, cwd=folder, input=text, text=True, check=True)  # noqa: S602
    return sorted(folder.glob("*.service")) + sorted(folder.glob("*.timer"))


def systemd_says(files: list[Path]) -> str:
    """What `systemd-analyze verify` finds: it ends with 0 on a misspelt key, so only what it says counts."""
    verify = [needs("systemd-analyze"), "verify", *files]
    return subprocess.run(verify, capture_output=True, text=True, check=False, timeout=60).stderr


def test_systemd_takes_both_units_and_says_so_of_a_misspelt_key(tmp_path):
    units = tmp_path / "units"
    units.mkdir()
    text = written(tmp_path / AWKWARD, "systemd", values=WITH_SECRETS, zone="Europe/Berlin")
    files = split_units(text, units)
    assert [file.name for file in files] == ["sweeps-flowers.service", "sweeps-flowers.timer"]
    assert systemd_says(files) == ""
    files[0].write_text(files[0].read_text().replace("TimeoutStopSec", "TimeoutStoppSec"))
    assert "TimeoutStoppSec" in systemd_says(files)


def test_systemd_expands_nothing_in_a_path(tmp_path):
    text = written(tmp_path / AWKWARD, "systemd")
    folder = str(tmp_path / AWKWARD)
    assert f"WorkingDirectory={folder.replace('%', '%%')}\n" in text
    (start,) = re.findall("^ExecStart=(.*)$", text, re.MULTILINE)
    argument = start.partition(" -m sweeps run ")[2]
    assert argument == f'"{folder}/my sweep.toml"'.replace('"f"', r"\"f\"").replace("%", "%%").replace("$", "$$")
    assert '--metrics-file "100%% of $$HOME\'s.prom"' in written(
        tmp_path, "systemd", options=("--metrics-file", METRICS)
    )


def next_starts(on_calendar: str, since: str) -> list[str]:
    """The next three starts of a timer in UTC, as systemd works them out."""
    analyze = [needs("systemd-analyze"), "calendar", "--iterations=3", f"--base-time={since}", on_calendar]
    done = subprocess.run(analyze, capture_output=True, text=True, check=True, env={**os.environ, "TZ": "UTC"})
    return re.findall(r"(?:elapse|Iter\. #\d): \w+ (.*) UTC", done.stdout)


def test_systemd_leaves_out_the_night_that_the_manifest_names(tmp_path):
    text = written(tmp_path, "systemd", zone="Europe/Berlin")
    (on_calendar,) = re.findall("^OnCalendar=(.*)$", text, re.MULTILINE)
    (night,) = re.findall(r"^#   (\S+) 02:30 does not exist in Europe/Berlin\.$", text, re.MULTILINE)
    starts = [start[:10] for start in next_starts(on_calendar, f"{night} 00:00:00 UTC")]
    assert night not in starts
    (twice,) = re.findall(r"^#   (\S+) 02:30 comes twice in Europe/Berlin\.$", text, re.MULTILINE)
    starts = [start[:10] for start in next_starts(on_calendar, f"{twice} 00:00:00 UTC")]
    assert starts.count(twice) == 1


# --- Kubernetes ---


def test_kubernetes_gets_a_claim_a_configuration_and_a_job_with_every_field_it_must_have(tmp_path):
    text = written(
        tmp_path / AWKWARD,
        "kubernetes",
        values=WITH_SECRETS,
        zone="Europe/Berlin",
        image="mine:7",
        options=("--notify", "$(HOME)"),
    )
    claim, config_map, cron_job = yaml.safe_load_all(text)
    assert [(d["apiVersion"], d["kind"]) for d in (claim, config_map, cron_job)] == [
        ("v1", "PersistentVolumeClaim"),
        ("v1", "ConfigMap"),
        ("batch/v1", "CronJob"),
    ]
    assert config_map["data"]["config.toml"].strip() == toml(WITH_SECRETS).strip()
    spec = cron_job["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == ("30 2 * * *", "Europe/Berlin", "Forbid")
    job = spec["jobTemplate"]["spec"]
    assert (job["activeDeadlineSeconds"], job["backoffLimit"]) == (700, 2)
    codes = job["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"]
    assert codes == sorted(set(ExitCode) - {0}), "Kubernetes wants them in order, and no 0 among them"
    pod = job["template"]["spec"]
    assert pod["restartPolicy"] == "Never", "what a podFailurePolicy asks for"
    (container,) = pod["containers"]
    assert (container["name"], container["image"], container["workingDir"]) == ("sweep", "mine:7", "/work")
    assert container["command"] == ["python", "-m", "sweeps", "run", "/work/flowers.toml", "--notify", "$$(HOME)"]
    secrets = {v["name"]: v["valueFrom"]["secretKeyRef"] for v in container["env"] if "valueFrom" in v}
    assert secrets["PGPASSWORD"] == {"name": "sweeps-flowers", "key": "PGPASSWORD"}
    assert secrets["MLFLOW_TRACKING_PASSWORD"]["optional"] is True
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert set(volumes) == {mount["name"] for mount in container["volumeMounts"]}
    assert volumes["work"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert volumes["config"]["configMap"]["name"] == config_map["metadata"]["name"]


def test_names_in_kubernetes_are_such_as_it_takes(tmp_path):
    values = changed(TINY, sweep={"name": "My.Sweep_" + "x" * 60 + "-1"})
    for document in yaml.safe_load_all(written(tmp_path, "kubernetes", values=values)):
        name = document["metadata"]["name"]
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name)
        assert len(name) <= 52


def test_sweeps_of_different_names_have_different_names_in_kubernetes(tmp_path):
    long = "x" * 60
    names = ["a-b", "a.b", "a_b", "a--b", "A-b", "a-b-", long + "-1", long + "-2"]
    texts = [written(tmp_path, "kubernetes", values=changed(TINY, sweep={"name": name})) for name in names]
    resources = [next(yaml.safe_load_all(text))["metadata"]["name"] for text in texts]
    assert resources[0] == "sweeps-a-b", "a name that Kubernetes takes stays as it is"
    assert len(set(resources)) == len(names)


# --- GitHub Actions ---


def test_github_gets_a_workflow_with_every_key_it_must_have(tmp_path):
    folder = tmp_path / AWKWARD
    (tmp_path / ".git").mkdir()
    text = written(folder, "github-actions", values=WITH_SECRETS, zone="Europe/Berlin")
    document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  # texts only; `on` is True in YAML 1.1
    assert document["on"]["schedule"] == [{"cron": "30 2 * * *", "timezone": "Europe/Berlin"}]
    assert document["concurrency"] == {"group": "sweeps-flowers", "cancel-in-progress": "false"}
    job = document["jobs"]["sweep"]
    assert (job["runs-on"], job["timeout-minutes"]) == ("ubuntu-latest", "12")
    assert all(("uses" in step) != ("run" in step) for step in job["steps"])
    (sweep,) = (step for step in job["steps"] if step.get("name") == "Sweep")
    assert sweep["working-directory"] == AWKWARD
    assert sweep["env"]["PGPASSWORD"] == "${{ secrets.PGPASSWORD }}"
    assert "${{" not in sweep["run"], "GitHub would work it out"
    restore, save = (step for step in job["steps"] if "cache" in step.get("uses", ""))
    assert restore["with"]["path"] == save["with"]["path"]


def test_the_command_of_a_workflow_is_what_the_shell_must_see(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / AWKWARD).mkdir()
    file = tmp_path / AWKWARD / "c.toml"
    file.write_text(toml(TINY))
    options = ("--metrics-file", METRICS)
    text = manifest(load_config(file), file, "0 2 * * *", "github-actions", None, None, tmp_path, options)
    (sweep,) = (step for step in yaml.safe_load(text)["jobs"]["sweep"]["steps"] if step.get("name") == "Sweep")
    said = subprocess.run(
        ["bash", "-c", sweep["run"].replace("python -m sweeps", "printf %s\\\\n")], capture_output=True, text=True
    )
    assert said.stdout.splitlines() == ["run", f"{AWKWARD}/c.toml", *options]


def test_an_option_that_run_does_not_have_is_refused_before_a_night_fails_with_it(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "sweeps", "schedule", "digits", "--at", "0 2 * * *", "--", "--overlp", "wait"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such option: --overlp" in done.stderr
    assert "Try 'python -m sweeps run --help' for help." in done.stderr


@pytest.mark.parametrize(("at", "is_fine"), [("*/5 * * * *", True), ("*/4 * * * *", False), ("0,58 * * * *", False)])
def test_github_starts_nothing_more_often_than_every_five_minutes(at, is_fine, tmp_path):
    if is_fine:
        assert at in written(tmp_path, "github-actions", at=at)
    else:
        with pytest.raises(InputError, match="5 minutes is the shortest interval"):
            written(tmp_path, "github-actions", at=at)


def test_a_configuration_outside_of_the_repository_is_refused_for_github(tmp_path):
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    (tmp_path / "c.toml").write_text(toml(TINY))
    config = load_config(tmp_path / "c.toml")
    with pytest.raises(InputError, match="is not in the repository"):
        manifest(config, tmp_path / "c.toml", "0 2 * * *", "github-actions", None, None, tmp_path / "repository")


def test_the_command_prints_the_manifest_of_a_ready_made_configuration_and_nothing_else(tmp_path):
    done = CommandLine(tmp_path).run("schedule", "digits", "--at", "@daily", "--format", "kubernetes")
    assert (done.returncode, done.stderr) == (0, "")
    claim, cron_job = yaml.safe_load_all(done.stdout)
    assert claim["kind"] == "PersistentVolumeClaim"
    (container,) = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["command"][-1] == "digits"
    assert list(tmp_path.iterdir()) == []
    refused = CommandLine(tmp_path).run("schedule", "digits", "--at", "0 2 1 * 1")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1
