"""The exit codes, beside the README's table of them."""

import re
import signal

from sweeps.results.exit_codes import ExitCode, after_signal
from tests.conftest import REPOSITORY


def test_the_readme_lists_every_exit_code_and_no_other():
    section = (REPOSITORY / "README.md").read_text("utf-8").partition("| exit | means |")[2].partition("\n\n")[0]
    listed = {int(code) for cell in re.findall(r"^\| ([\d, ]+) \|", section, re.MULTILINE) for code in cell.split(",")}
    assert listed == {*ExitCode, after_signal(signal.SIGINT), after_signal(signal.SIGTERM)}
