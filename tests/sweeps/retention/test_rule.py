"""How far back studies are kept."""

import math

import pytest

from experiments.errors import InputError
from sweeps.configuration.config_file import parse_config
from sweeps.retention.rule import Retention, retention_of

DAY = 24 * 3600.0


@pytest.mark.parametrize(
    ("keep", "days", "n_outside"),
    [
        (None, None, 0),
        (3, None, 7),
        (10, None, 0),
        (20, None, 0),
        (None, 4.5, 5),
        (3, 4.5, 5),  # both must agree that it may go
        (7, 4.5, 3),
    ],
)
def test_what_is_neither_among_the_newest_nor_young_enough_is_outside(keep, days, n_outside):
    now = 1_000 * DAY
    ends = [now - number * DAY for number in range(10)]  # ten nights, the last one just now
    since = Retention(keep, days).reaches_back_to(ends, now)
    assert sum(end < since for end in ends) == n_outside
    assert Retention(keep, days).keeps_everything is (keep is None and days is None)


def test_no_studies_are_no_trouble():
    assert Retention(keep=1).reaches_back_to([], 0.0) == -math.inf


def test_the_command_line_says_the_same():
    assert retention_of(5, None) == Retention(5, None)
    assert retention_of(None, "90d") == Retention(None, 90.0)
    assert retention_of(2, "0.5d") == Retention(2, 0.5)


@pytest.mark.parametrize(
    ("keep", "older_than", "words"),
    [
        (None, None, "which studies are to go is not said"),
        (0, None, "would delete the champion"),
        (-3, "90d", "would delete the champion"),
        (1, "0d", "is no number of days"),
        (1, "three weeks", "is no number of days"),
        (None, "90", "is no number of days"),
    ],
)
def test_what_would_keep_nothing_or_says_nothing_is_refused(keep, older_than, words):
    with pytest.raises(InputError, match=words):
        retention_of(keep, older_than)


@pytest.mark.parametrize("section", [{"keep": 0}, {"days": 0.0}, {"keeps": 3}])
def test_so_is_it_in_a_configuration(section, tmp_path):
    values = {"sweep": {"name": "a"}, "data": {"train": "sklearn:iris"}, "retention": section}
    with pytest.raises(InputError, match=r"\[retention\]"):
        parse_config(values, source="a.toml", directory=tmp_path)
