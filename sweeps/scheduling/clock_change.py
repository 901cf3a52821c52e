"""Local times of a schedule that a change of the clock leaves out, or brings twice, within the coming year."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sweeps.scheduling.cron_expression import CronExpression

DAYS_AHEAD = 366


@dataclass(frozen=True, slots=True)
class ClockChange:
    """What the clock does to a schedule; each a local time, the first of its night.

    Attributes:
        skipped: That do not exist.
        repeated: That exist twice.
    """

    skipped: tuple[datetime, ...]
    repeated: tuple[datetime, ...]


def clock_change(expression: CronExpression, zone: str, today: date) -> ClockChange:
    """What happens to a schedule in `zone` until a year after `today`."""
    rules = ZoneInfo(zone)
    skipped: list[datetime] = []
    repeated: list[datetime] = []
    for day in _days_of_change(rules, today):
        if not _is_on(expression, day):
            continue
        times = [datetime.combine(day, time(h, m)) for h in expression.hour.values for m in expression.minute.values]
        for found, happens in ((skipped, _is_skipped), (repeated, _is_repeated)):
            found += [moment for moment in times if happens(moment, rules)][:1]
    return ClockChange(tuple(skipped), tuple(repeated))


def zone_of_this_machine() -> str | None:
    """IANA name of the zone that cron and systemd use here; None where it cannot be told."""
    try:
        path = Path("/etc/localtime").resolve(strict=True)
    except OSError:
        return None
    _, found, name = path.as_posix().partition("/zoneinfo/")
    return name if found else None


def _days_of_change(rules: ZoneInfo, today: date) -> Iterator[date]:
    for day in (today + timedelta(days) for days in range(DAYS_AHEAD)):
        midnights = (datetime.combine(moment, time(), rules) for moment in (day, day + timedelta(1)))
        if len({midnight.utcoffset() for midnight in midnights}) > 1:
            yield day


def _is_on(expression: CronExpression, day: date) -> bool:
    return (
        day.day in expression.day.values
        and day.month in expression.month.values
        and day.isoweekday() % 7 in expression.weekday.values
    )


def _is_skipped(moment: datetime, rules: ZoneInfo) -> bool:
    there_and_back = moment.replace(tzinfo=rules).astimezone(UTC).astimezone(rules)
    return there_and_back.replace(tzinfo=None) != moment


def _is_repeated(moment: datetime, rules: ZoneInfo) -> bool:
    local = moment.replace(tzinfo=rules)
    return not _is_skipped(moment, rules) and local.utcoffset() != local.replace(fold=1).utcoffset()
