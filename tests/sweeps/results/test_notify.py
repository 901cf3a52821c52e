"""A command that is told how a run ended: real processes."""

import json
import shlex
import time

import pytest

from experiments.errors import InputError
from sweeps.results import notify as module
from sweeps.results.notify import notify, words_of


def test_the_command_gets_the_document_on_stdin_and_no_shell_reads_its_words(tmp_path):
    file = tmp_path / "a $HOME; b"
    assert notify(words_of(f"tee {shlex.quote(str(file))}"), {"study": "ü", "n": 1.5}) is None
    assert json.loads(file.read_text()) == {"study": "ü", "n": 1.5}
    assert notify(["true"], {"long": "x" * 1_000_000}) is None, "one that does not read is no failure"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("sh -c 'echo one; echo two >&2; exit 3'", "--notify sh: ended with exit 3: two."),
        ("false", "--notify false: ended with exit 1."),
        ("no-such-program-here", "--notify no-such-program-here: cannot be started (No such file or directory)."),
    ],
)
def test_what_goes_wrong_is_one_line(command, message):
    assert notify(words_of(command), {}) == message


def test_one_that_does_not_end_is_killed_with_all_that_it_started(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "LONGEST_SECONDS", 0.3)
    began = time.monotonic()
    command = f"sh -c '(sleep 2; touch {tmp_path}/alive) & wait'"
    assert notify(words_of(command), {}) == "--notify sh: did not end within 0.3 s and was killed."
    assert time.monotonic() - began < 2
    time.sleep(2.2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["", "  ", "mail 'me"])
def test_what_is_no_command_is_refused(command):
    with pytest.raises(InputError, match="not a command"):
        words_of(command)
