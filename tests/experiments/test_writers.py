"""What other programs write is read as they mean it or refused for its own reason, and the README says so."""

import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.experiments.support.written import Written, outcome
from tests.experiments.writers import WRITTEN, is_there, markdown


@pytest.mark.parametrize("written", WRITTEN, ids=lambda written: f"{written.package}: {written.what}")
@pytest.mark.filterwarnings("ignore")
def test_it_is_read_as_it_is_meant_or_refused(tmp_path: Path, written: Written) -> None:
    if not is_there(written.package):
        pytest.skip(f"{written.package} is not installed")
    assert outcome(written, tmp_path) == ("refused" if written.refused else "works")


def test_the_table_in_the_readme_says_the_same() -> None:
    expected = markdown([(written, "refused" if written.refused else "works") for written in WRITTEN])
    readme = (REPOSITORY / "experiments" / "README.md").read_text()

    def without_versions(table: str) -> list[str]:
        return [re.sub(r"^(\| [^|]+ \|)[^|]*\|", r"\1", line) for line in table.splitlines()]

    assert set(without_versions(expected)) <= set(without_versions(readme)), "python -m tests.experiments.writers"
