"""Errors caused by a person's input, told in three parts."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from experiments.error_text import mask_password

_LONGEST_WORD = 200
_LONGEST = 2_000
"""Characters of each part that are told: a value in it may be a megabyte long."""


class InputError(ValueError):
    """Something a person gave us is wrong: a file, a column, a value, an option.

    The message has three parts, each a sentence: `what` is wrong, with the value and the place; what is
    `allowed`; the `fix`, what to type or change.
    """

    def __init__(self, what: str, allowed: str, fix: str) -> None:
        what, allowed, fix = (_shown(part) for part in (what, allowed, fix))
        super().__init__(what, allowed, fix)  # all three in args, so that the error survives pickling
        self.what = what
        self.allowed = allowed
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what} {self.allowed} {self.fix}"


def _shown(text: str) -> str:
    text = mask_password(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} [...] {text[-_LONGEST // 4 :]}"


def nearest(word: str, known: Iterable[str]) -> str:
    """A phrase to append to a message: " Did you mean 'price'?", or "" when nothing known is near."""
    word = word[:_LONGEST_WORD]
    by_lower_case = {name.lower(): name for name in known}
    matches = get_close_matches(word.lower(), by_lower_case, n=1)
    return f" Did you mean '{by_lower_case[matches[0]]}'?" if matches else ""


def listed(items: Iterable[object], limit: int = 5) -> str:
    """The first `limit` items, separated by commas, and how many more there are."""
    words = [str(item) for item in items]
    more = f" and {len(words) - limit} more" if len(words) > limit else ""
    return ", ".join(words[:limit]) + more
