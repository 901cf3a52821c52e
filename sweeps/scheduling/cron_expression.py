"""When a job begins: the five fields that cron, systemd, Kubernetes and GitHub read alike, and nothing else."""

import calendar
import re
from dataclasses import dataclass
from typing import NoReturn, Self

from experiments.errors import InputError, how_many

_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_LONGEST_MONTHS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ALLOWED = (
    "It is five fields: minute (0-59), hour (0-23), day of the month (1-31), month (1-12), day of the week (0-6)."
)
_EXAMPLE = 'Write --at "0 2 * * *" for every night at two.'


@dataclass(frozen=True, slots=True)
class Field:
    """One field: the values that it names, and how every format spells them."""

    values: tuple[int, ...]
    text: str

    @property
    def is_any(self) -> bool:
        """Whether it is `*`, which says nothing."""
        return self.text == "*"


@dataclass(frozen=True, slots=True)
class CronExpression:
    """A time of day on certain days; the day of the week counts from Sunday, 0."""

    minute: Field
    hour: Field
    day: Field
    month: Field
    weekday: Field

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read five fields, or one of `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.

        Names and 7 for Sunday are replaced by numbers that all formats know.

        Raises:
            InputError: It is no such expression, cron, systemd and Kubernetes would read it differently, or no date
                fits it.
        """
        words = _MACROS.get(text.strip().lower(), text).split()
        if text.strip().startswith("@") and len(words) == 1:
            _refuse(text, f"{words[0]} is not a time that every scheduler knows")
        if len(words) != 5:
            _refuse(
                text,
                f"it has {how_many(len(words), 'field')}"
                + ("; a sixth would be seconds, years or a user, depending on who reads" if len(words) > 5 else ""),
            )
        read = _Reader(text)
        fields = (
            read.field(words[0], "minute", 0, 59),
            read.field(words[1], "hour", 0, 23),
            read.field(words[2], "day of the month", 1, 31),
            read.field(words[3], "month", 1, 12, _MONTHS),
            read.field(words[4], "day of the week", 0, 6, _WEEKDAYS),
        )
        expression = cls(*fields)
        if not expression.day.is_any and not expression.weekday.is_any:
            raise InputError(
                f'--at "{text}": day of the month {words[2]} and day of the week {words[4]} are both given.',
                "cron and Kubernetes start the job on days that fit either of them, systemd on those that fit both.",
                f'Leave one of them "*": --at "{words[0]} {words[1]} * {words[3]} {words[4]}".',
            )
        if all(_LONGEST_MONTHS[month] < min(expression.day.values) for month in expression.month.values):
            _refuse(text, "no date fits it")
        return expression

    @property
    def text(self) -> str:
        """For cron, Kubernetes and GitHub."""
        return " ".join(part.text for part in (self.minute, self.hour, self.day, self.month, self.weekday))

    def on_calendar(self, zone: str | None) -> str:
        """For systemd's OnCalendar=; `zone` is an IANA name, None the machine's."""
        weekdays = (
            "" if self.weekday.is_any else f"{','.join(calendar.day_abbr[day - 1] for day in self.weekday.values)} "
        )
        month, day, hour, minute = (
            "*" if part.is_any else ",".join(f"{value:02d}" for value in part.values)
            for part in (self.month, self.day, self.hour, self.minute)
        )
        return f"{weekdays}*-{month}-{day} {hour}:{minute}:00{f' {zone}' if zone else ''}"


@dataclass(frozen=True, slots=True)
class _Reader:
    """Of the fields of one expression, which messages show as a whole."""

    whole: str

    def field(self, text: str, name: str, low: int, high: int, names: dict[str, int] | None = None) -> Field:
        values: set[int] = set()
        for part in text.split(","):
            values |= self._part(part, name, low, high, names or {})
        is_plain = re.fullmatch(r"[\d*,/-]+", text) and not (name == "day of the week" and "7" in text)
        plain = text if is_plain else ",".join(map(str, sorted(values)))
        return Field(tuple(sorted(values)), plain)

    def _part(self, part: str, name: str, low: int, high: int, names: dict[str, int]) -> set[int]:
        match = re.fullmatch(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?", part, re.ASCII)
        if match is None:
            _refuse(self.whole, f"{name} {part!r} is no number, list, range or step")
        star, first, last, step = match.groups()
        if step is not None and int(step) == 0:
            _refuse(self.whole, f"{name} {part!r} has steps of 0")
        if first is not None and last is None and step is not None:
            raise InputError(
                f'--at "{self.whole}": {name} {part!r} steps from a single number.',
                f"Kubernetes reads it as {first}-{high}/{step}, and Debian's cron refuses it.",
                f"Write {first}-{high}/{step}.",
            )
        if star:
            return set(range(low, high + 1, int(step or 1)))
        is_weekday = name == "day of the week"
        begin = self._number(first, name, low, high + is_weekday, names)
        end = begin if last is None else self._number(last, name, low, high + is_weekday, names)
        if end < begin:
            _refuse(self.whole, f"{name} {part!r} runs backwards")
        chosen = range(begin, end + 1, int(step or 1))
        return {value % 7 for value in chosen} if is_weekday else set(chosen)

    def _number(self, word: str, name: str, low: int, high: int, names: dict[str, int]) -> int:
        value = names.get(word.lower(), -1) if not word.isdecimal() else int(word)
        if not low <= value <= high:
            _refuse(self.whole, f"{name} {word!r} does not exist")
        return value


def _refuse(text: str, why: str) -> NoReturn:
    raise InputError(f'--at "{text}": {why}.', _ALLOWED, _EXAMPLE)
