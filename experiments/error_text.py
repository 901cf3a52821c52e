"""The text of other libraries' errors, fit to be shown: their root cause, in one line, without passwords."""

import re
from collections.abc import Iterator

_AFTER_USER = re.compile(r"(?P<user>:/{1,2}[^/?#\s:@]*):(?P<rest>(?:(?![^\w\s+.-][\w+.-]+://)\S)*)")
"""What follows `://user:` up to a space or the next URI. It matches without an @ too: searching for one would take
quadratic time, and the texts come from servers."""

_SECRET_PARAMETER = re.compile(
    r"(?i)(?<=[?&])([\w-]*(?:password|passwd|pwd|token|secret|key|sig|signature)=)[^&\s'\"]+"
)
_SECRET = re.compile(r"(?i)(?<![\w-])((?:password|passwd|pwd|secret|token|api[_-]?key)=)[^&\s'\",;]+")
_LENGTH = 250  # characters


def mask_password(uri: str) -> str:
    """`uri`, or a text with URIs in it, with passwords and tokens replaced by ***.

    A password ends at the last @, so that an @ or a / in it that should have been quoted is masked too.
    """
    return _SECRET.sub(r"\1***", _SECRET_PARAMETER.sub(r"\1***", _AFTER_USER.sub(_without_password, uri)))


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error, the one it was raised from or while handling, and so on."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def root_cause(error: BaseException) -> BaseException:
    """The error of the operating system, the database or urllib3 behind it, if there is one: shorter and clearer."""
    root = error
    for cause in causes(error):
        of_driver = getattr(cause, "orig", None)  # SQLAlchemy's errors have it
        has_errno = isinstance(cause, OSError) and cause.errno is not None
        if has_errno or type(cause).__module__.partition(".")[0] in {"sqlite3", "urllib3"}:
            root = cause
        elif isinstance(of_driver, BaseException):
            root = of_driver
    return root


def in_one_line(error: BaseException) -> str:
    """The error's type and text: "ConnectionRefusedError: [Errno 111] Connection refused"."""
    text = " ".join(mask_password(str(error)).split())
    return f"{type(error).__name__}: {text}"[:_LENGTH]


def _without_password(match: re.Match[str]) -> str:
    _, at, host = match["rest"].rpartition("@")
    return f"{match['user']}:***@{host}" if at else match[0]
