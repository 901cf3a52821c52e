"""Where results come from, told by git itself and by what pip notes down."""

import json
import shutil
import subprocess
from importlib.metadata import version

import pytest

from sweeps.recording.provenance import provenance, source_commit

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder, *arguments):
    identity = ["-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with a package in it, committed."""
    monkeypatch.delenv("GIT_DIR", raising=False)
    package = tmp_path / "checkout" / "package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    git(package.parent, "init", "-q")
    git(package.parent, "add", ".")
    git(package.parent, "commit", "-qm", "first")
    return package


def test_a_checkout_names_its_commit(checkout):
    assert source_commit(checkout) == (git(checkout, "rev-parse", "HEAD"), False)


def test_a_change_that_is_not_committed_is_told(checkout):
    (checkout / "__init__.py").write_text("changed = True")
    assert source_commit(checkout) == (git(checkout, "rev-parse", "HEAD"), True)


def test_a_new_file_that_nobody_tracks_is_no_change(checkout):
    (checkout / "mlflow.db").touch()
    assert not source_commit(checkout)[1]


def test_a_package_installed_inside_somebody_elses_repository_is_not_of_its_commit(checkout):
    installed = checkout.parent / ".venv" / "package"
    installed.mkdir(parents=True)
    (installed / "__init__.py").touch()
    assert source_commit(installed) == ("", False)


def test_a_folder_outside_any_repository_has_no_commit(tmp_path):
    assert source_commit(tmp_path) == ("", False)


def test_a_git_hook_s_own_repository_is_not_taken_for_the_source_s(checkout, tmp_path, monkeypatch):
    git(tmp_path, "init", "-q", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert source_commit(checkout)[0] != ""


def test_without_git_there_is_no_commit(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert source_commit(checkout) == ("", False)


def pip_notes_down(site_packages, name, note):
    """What pip leaves beside a package that it installed."""
    information = site_packages / f"{name}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (information / "direct_url.json").write_text(json.dumps(note))


@pytest.mark.parametrize(
    ("note", "commit"),
    [
        ({"url": "https://example.org/a.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}, "abc"),
        ({"url": "file:///home/me/sweeps", "dir_info": {}}, ""),
    ],
)
def test_a_wheel_that_pip_built_from_git_knows_its_commit(tmp_path, monkeypatch, note, commit):
    pip_notes_down(tmp_path, "madepackage", note)
    (tmp_path / "madepackage").mkdir()
    (tmp_path / "madepackage" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert source_commit(tmp_path / "madepackage") == (commit, False)


def test_the_tags_hold_the_commit_that_pip_built_this_package_from(tmp_path, monkeypatch):
    pip_notes_down(tmp_path, "sweeps", {"url": "https://example.org", "vcs_info": {"vcs": "git", "commit_id": "abc"}})
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")  # no git: as where a wheel is installed
    assert provenance()["mlflow.source.git.commit"] == "abc"


def test_the_tags_name_versions_and_machine():
    tags = provenance()
    assert tags["sweeps.packages.numpy"] == version("numpy")
    assert f"numpy {version('numpy')}" in tags["sweeps.machine"]
    assert int(tags["sweeps.cores"]) > 0
    assert all(isinstance(value, str) for value in tags.values())
