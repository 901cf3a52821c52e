"""TOML as a configuration may be: refused at once where it is too long or too deep, or a number has no end."""

import re
import tomllib
from typing import Any

from experiments.errors import InputError

MAX_LENGTH = 250_000
"""Characters of a file; the longest that says something has some thousands."""

MAX_DEPTH = 16
"""Tables and lists inside each other, parts of a dotted key; a configuration has four."""

_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"^[ \t]*+\[*+[ \t]*+{_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MAX_DEPTH}}}", re.MULTILINE)
"""A dotted key of more parts, at the beginning of a line: reading one takes quadratic time."""


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """The tables of a configuration file.

    Raises:
        InputError: It is not TOML, or not of this kind.
    """
    if len(text) > MAX_LENGTH:
        raise _refused(source, f"{len(text):,} characters", f"A configuration has {MAX_LENGTH:,} at most.")
    if (key := _LONG_KEY.search(text)) is not None:
        line = text.count("\n", 0, key.start()) + 1
        raise _too_deep(source, f"line {line} has a key of more than {MAX_DEPTH} parts")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"{source}: not valid TOML: {error}.",
            "Tables are [sweep], text stands in double quotes.",
            "Correct that line.",
        ) from error
    except RecursionError:
        raise _too_deep(source, "tables and lists inside each other, a thousand deep") from None
    except ValueError as error:  # Python reads no decimal number of thousands of digits
        raise _refused(source, "a number has thousands of digits", "A whole number has 64 bits.") from error
    _check(values, source)
    return values


def _check(values: dict[str, Any], source: str) -> None:
    """Raises InputError where something is too deep, or a whole number longer than TOML has them."""
    waiting: list[tuple[object, int]] = [(values, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise _too_deep(source, f"tables or lists inside each other, more than {MAX_DEPTH} deep")
        if isinstance(value, dict | list):
            items = value.values() if isinstance(value, dict) else value
            waiting += [(item, depth + 1) for item in items]
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise _refused(source, f"a number of {value.bit_length()} bits", "A whole number has 64 bits.")


def _too_deep(source: str, what: str) -> InputError:
    return _refused(source, what, "A configuration has tables of keys, and values, lists or ranges in them.")


def _refused(source: str, what: str, allowed: str) -> InputError:
    return InputError(f"{source}: {what}.", allowed, "Correct it; an example: python -m sweeps validate breast_cancer")
