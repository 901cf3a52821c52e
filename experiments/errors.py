"""Errors caused by a person's input, told in three parts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from difflib import get_close_matches
from typing import TypeVar

from experiments.error_text import mask_password

T = TypeVar("T")

MOST_TOLD = 15
"""Problems of one file that are told in full."""

_LONGEST_WORD = 200
_LONGEST = 2_000
"""Characters of each part that are told: a value in it may be a megabyte long."""


class InputError(ValueError):
    """Something a person gave us is wrong: a file, a column, a value, an option.

    The message has three parts, each a sentence: `what` is wrong, with the value and the place; what is
    `allowed`; the `fix`, what to type or change.

    Attributes:
        problems: The errors that this one tells together; only itself otherwise.
    """

    def __init__(self, what: str, allowed: str, fix: str) -> None:
        what, allowed, fix = (_shown(part) for part in (what, allowed, fix))
        super().__init__(what, allowed, fix)  # all three in args, so that the error survives pickling
        self.what = what
        self.allowed = allowed
        self.fix = fix
        self.problems: tuple[InputError, ...] = (self,)

    def __str__(self) -> str:
        return f"{self.what} {self.allowed} {self.fix}".rstrip()


def collected(checks: Iterable[Callable[[], T]], place: str) -> list[T]:
    """What each check returns, or all that they complain of at once.

    Raises:
        InputError: Some checks raised one.
    """
    results, errors = [], []
    for check in checks:
        try:
            results.append(check())
        except InputError as error:
            errors.append(error)
    if errors:
        raise together(errors, place)
    return results


def together(errors: Sequence[InputError], place: str) -> InputError:
    """One error that tells several, each with its own cure.

    Args:
        errors: At least one; those of which one is made of several are told one by one.
        place: What all of them are about; it is told once.
    """
    problems = [problem for error in errors for problem in error.problems]
    if len(problems) == 1:
        return problems[0]
    told = [f"{problem.what.removeprefix(f'{place}: ')} {problem.fix}" for problem in problems[:MOST_TOLD]]
    more = [f"and {len(problems) - MOST_TOLD} more."] if len(problems) > MOST_TOLD else []
    lines = (f"\n- {line if len(line) <= 500 else line[:400] + ' [...]'}" for line in (*told, *more))
    joint = InputError(f"{place}: {len(problems)} problems, each with its cure:", "".join(lines), "")
    joint.problems = tuple(problems)
    return joint


def _shown(text: str) -> str:
    text = mask_password(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} [...] {text[-_LONGEST // 4 :]}"


def nearest(word: str, known: Iterable[str]) -> str:
    """A phrase to append to a message: " Did you mean 'price'?", or "" when nothing else that is known is near."""
    word = word[:_LONGEST_WORD]
    by_lower_case = {name.lower(): name for name in known if name != word}
    matches = get_close_matches(word.lower(), by_lower_case, n=1)
    return f" Did you mean '{by_lower_case[matches[0]]}'?" if matches else ""


def how_many(n: int, one: str, many: str = "") -> str:
    """A count with what it counts: "1 row", "2,000 rows"; `many` where that is not `one` with an s."""
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"


def in_rows(rows: Collection[int]) -> str:
    """Where something is wrong: "row 3 (counted from 0)"."""
    return f"row{'' if len(rows) == 1 else 's'} {listed(rows)} (counted from 0)"


def listed(items: Iterable[object], limit: int = 5) -> str:
    """The first `limit` items, separated by commas, and how many more there are."""
    words = [str(item) for item in items]
    more = f" and {len(words) - limit} more" if len(words) > limit else ""
    return ", ".join(words[:limit]) + more
