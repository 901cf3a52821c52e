"""Names of studies keep the order in which they began."""

import time

import pytest

from sweeps.storage.workspace import Workspace


@pytest.fixture
def clock(monkeypatch):
    """Set the clock, in seconds since 1970."""

    def set_to(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: seconds)

    return set_to


def test_a_study_that_begins_after_the_clock_was_set_back_is_still_the_newest(tmp_path, clock):
    workspace = Workspace(tmp_path)
    names = []
    for hour in (10, 8, 8, 11):
        clock(hour * 3600.0)
        names.append(workspace.new_study_name("flowers"))
        workspace.study_folder(names[-1]).create()
    times = [name.removeprefix("flowers/19700101-") for name in names]
    assert times == ["100000", "100001", "100002", "110000"]
    clock(8 * 3600.0)
    assert workspace.seconds_ahead(names[1]) == 2 * 3600 + 1
    assert workspace.new_study_name("trees") == "trees/19700101-080000"


def test_a_folder_that_is_no_study_of_ours_says_nothing_about_time(tmp_path, clock):
    workspace = Workspace(tmp_path)
    workspace.study_folder("flowers/zebra").create()
    clock(3600.0)
    assert workspace.new_study_name("flowers") == "flowers/19700101-010000"
    assert workspace.seconds_ahead("flowers/zebra") == 0.0
