"""Ways to write that a number is missing, in lower case.

In a text column they are words: a roof is "stone", "tiles" or "none".
"""

from __future__ import annotations

from string import ascii_lowercase

MISSING_NUMBERS = frozenset(
    {"", "na", "n/a", "<na>", "#na", "#n/a", "#n/a n/a", "nan", "-nan", "null", "none"}
    | {"1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"}
    | {"?", "-", "--", "*", "\\n", "missing", "unknown"}  # UCI's, people's, MySQL's
    | {".", *(f".{letter}" for letter in ascii_lowercase)}  # SAS's and Stata's
    | {"#null!", "#div/0!", "#value!", "#ref!", "#name?", "#num!"}  # of spreadsheets
)
