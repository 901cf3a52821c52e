"""What the start of a process changes for a moment, while other threads go on."""

import sys

from sweeps.execution.spawning import start_of_ours


def test_an_import_that_is_under_way_passes_over_no_folder(monkeypatch):
    """A worker started while the main thread imported scikit-learn, which "was not there": once in seventy sweeps."""
    monkeypatch.setattr(sys, "path", ["/first", "/second"])
    with start_of_ours():
        folders = iter(sys.path)
        ours = next(folders)
    assert list(folders) == ["/first", "/second"]
    assert sys.path == ["/first", "/second"]
    assert ours not in sys.path


def test_what_another_thread_adds_to_the_path_meanwhile_stays(monkeypatch):
    monkeypatch.setattr(sys, "path", ["/first"])
    with start_of_ours():
        sys.path.append("/added")
    assert sys.path == ["/first", "/added"]
