"""What the five fields mean, and which of them are refused because not everybody reads them alike."""

from datetime import UTC, date, datetime

import pytest

from experiments.errors import InputError
from sweeps.scheduling.clock_change import clock_change
from sweeps.scheduling.cron_expression import CronExpression


@pytest.mark.parametrize(
    ("at", "text", "on_calendar"),
    [
        ("0 2 * * *", "0 2 * * *", "*-*-* 02:00:00"),
        ("@weekly", "0 0 * * 0", "Sun *-*-* 00:00:00"),
        ("30 2 * * mon-fri", "30 2 * * 1,2,3,4,5", "Mon,Tue,Wed,Thu,Fri *-*-* 02:30:00"),
        ("0 2 * * 7", "0 2 * * 0", "Sun *-*-* 02:00:00"),
        ("0 2 * * 5-7", "0 2 * * 0,5,6", "Sun,Fri,Sat *-*-* 02:00:00"),
        ("*/15 1-3 * JAN,jul *", "*/15 1-3 * 1,7 *", "*-01,07-* 01,02,03:00,15,30,45:00"),
        ("5-59/20 2 1,15 * *", "5-59/20 2 1,15 * *", "*-*-01,15 02:05,25,45:00"),
        ("0 2 29 2 *", "0 2 29 2 *", "*-02-29 02:00:00"),
    ],
)
def test_an_expression_is_said_in_numbers_that_all_know_and_in_systemds_own_words(at, text, on_calendar):
    expression = CronExpression.parse(at)
    assert (expression.text, expression.on_calendar(None)) == (text, on_calendar)
    assert CronExpression.parse(expression.text).on_calendar(None) == on_calendar
    assert expression.on_calendar("Europe/Berlin") == f"{on_calendar} Europe/Berlin"


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (
            "0 2 1 * 1",
            r'day of the month 1 and day of the week 1 are both given\. .* Leave one of them "\*": .*"0 2 \* \* 1"',
        ),
        ("0 2 */2 * 1", "both given"),
        ("@reboot", "@reboot is not a time that every scheduler knows"),
        ("0 0 2 * * *", "it has 6 fields; a sixth would be"),
        ("0 2 * *", r"it has 4 fields\. It is five"),
        ("5", r"it has 1 field\. It is five"),
        ("5/10 * * * *", r"steps from a single number\. .* Write 5-59/10"),
        ("0 24 * * *", "hour '24' does not exist"),
        ("60 2 * * *", "minute '60' does not exist"),
        ("0 2 0 * *", "day of the month '0' does not exist"),
        ("0 2 * 13 *", "month '13' does not exist"),
        ("0 2 * * 8", "day of the week '8' does not exist"),
        ("0 2 * * someday", "day of the week 'someday' does not exist"),
        ("0 2 L * *", "day of the month 'L' does not exist"),
        ("0 2 ? * *", r"day of the month '\?' is no number"),
        ("0 2 * * 1#2", "'1#2' is no number"),
        ("0 5-3 * * *", "'5-3' runs backwards"),
        ("*/0 2 * * *", "steps of 0"),
        ("0,,5 2 * * *", "'' is no number"),
        ("0 2 30,31 2 *", "no date fits it"),
        ("²0 2 * * *", "minute '²0' is no number"),
        ("", "it has 0 fields"),
    ],
)
def test_what_is_not_read_alike_by_all_is_refused_with_what_to_write(at, message):
    with pytest.raises(InputError, match=message) as error:
        CronExpression.parse(at)
    assert error.value.allowed
    assert error.value.fix.startswith(("Write", "Leave"))


def test_the_nights_on_which_the_clock_changes_are_found():
    nightly, today = CronExpression.parse("30 2 * * *"), date(2026, 11, 28)
    berlin = clock_change(nightly, "Europe/Berlin", today)
    assert berlin.skipped == (datetime(2027, 3, 28, 2, 30),)  # a local time
    assert berlin.repeated == (datetime(2027, 10, 31, 2, 30),)
    new_york = clock_change(CronExpression.parse("30 1 * * *"), "America/New_York", today)
    assert (new_york.skipped, [night.isoformat() for night in new_york.repeated]) == ((), ["2027-11-07T01:30:00"])
    on_mondays = clock_change(CronExpression.parse("30 2 * * 1"), "Europe/Berlin", today)
    always_the_same = clock_change(nightly, str(UTC), today)
    assert not any((*on_mondays.skipped, *on_mondays.repeated, *always_the_same.skipped, *always_the_same.repeated))
