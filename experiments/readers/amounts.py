"""Numbers as people and spreadsheets write them: money, percentages, times, with a unit or separators of thousands.

They are refused, because 1,234 is one number in London and another in Berlin; that they are numbers is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

WRITTEN_NUMBERS = "Numbers are written as digits, with a point before the decimals: 1234.5."
AMOUNTS_CURE = (
    "Remove currency signs, percent signs, units and separators of thousands; write a decimal comma as a point, and a "
    "time as minutes."
)
MAX_NUMERALS = 10
"""Distinct values of a text column that may be numbers where others are not, or amounts."""
_CURRENCY = (
    r"(?:(?:US|A|C|R|NZ|HK|S)?\$|[¢£¤¥֏؋฿₠-⃀﷼﹩$£¥]|zł|kr\.?|Rs\.?|Fr\.?"
    r"|USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|CNY|RMB|INR|BRL|MXN|SEK|NOK|DKK|PLN|CZK|HUF|RUB|TRY|ZAR|KRW|SGD|HKD|ILS)"
)
_DIGITS = r"(?:(?:\d{1,2}(?:,\d{2})+,\d{3}|\d+(?:[.,'’ \u00a0\u202f]\d{3})*)(?:[.,]\d+)?|[.,]\d+)"
_SIGN = r"[+\-−–]?"
_MONEY = re.compile(
    rf"{_SIGN}\s*(?:{_CURRENCY}\s*{_SIGN}\s*{_DIGITS}|{_DIGITS}\s*{_CURRENCY})(?:[.,][-–]|\s*-)?", re.IGNORECASE
)
_PERCENT = re.compile(rf"{_SIGN}\s*{_DIGITS}\s*[%‰]")
_PLAIN = re.compile(rf"{_SIGN}\s*{_DIGITS}-?")
_TIME = re.compile(r"\d{1,3}:[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?(?:\s*[ap]\.?m\.?)?", re.IGNORECASE)
_WITH_UNIT = re.compile(rf"{_SIGN}\s*{_DIGITS}(?:\s+|(?=[^\W\d_]{{2}}))(?P<unit>[^\W\d_][^\s\d]{{0,7}})")


def kind_of_amounts(texts: Iterable[str]) -> str | None:
    """What texts are that are all numbers, though not as programs write them: "amounts of money"; else None.

    Units are one if all texts have the same: "12 kg", "180cm". Numbers in brackets are negative.
    """
    found, units = set(), set()
    for text in texts:
        text = text.strip()
        amount = text[1:-1].strip() if text.startswith("(") and text.endswith(")") else text
        if _PLAIN.fullmatch(amount):
            continue
        if _MONEY.fullmatch(amount):
            found.add("amounts of money")
        elif _PERCENT.fullmatch(amount):
            found.add("percentages")
        elif _TIME.fullmatch(amount):
            found.add("times")
        elif match := _WITH_UNIT.fullmatch(amount):
            units.add(match["unit"])
        else:
            return None
    if units:
        return None if found or len(units) > 1 else f"numbers with the unit '{units.pop()}'"
    return " and ".join(sorted(found)) or "numbers with separators"
