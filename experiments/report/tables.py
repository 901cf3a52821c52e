"""Tables of the report: pandas in, escaped HTML out."""

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from experiments.report.figures import STATE_COLORS

Format = Callable[[Any], str]


def table(
    frame: pd.DataFrame,
    formats: Mapping[str, Format] | None = None,
    text_columns: tuple[str, ...] = (),
    first_row_class: str = "",
) -> str:
    """A data frame as an HTML table that scrolls sideways where it is too wide.

    Args:
        frame: Its columns' names are the header. Missing values stay empty; numbers are aligned to the right.
        formats: Name of a column to how its values are written; `str` for other columns.
        text_columns: Columns of sentences, which may be broken over lines.
        first_row_class: CSS class of the first row.
    """
    formats = formats or {}
    kinds = {name: _kind(frame[name], name in text_columns) for name in frame.columns}
    header = "".join(f'<th class="{kinds[name]}">{html.escape(str(name))}</th>' for name in frame.columns)
    rows = []
    for number, values in enumerate(frame.itertuples(index=False)):
        cells = "".join(
            f'<td class="{kinds[name]}">{_cell(str(name), value, formats.get(name, str))}</td>'
            for name, value in zip(frame.columns, values, strict=True)
        )
        row_class = f' class="{first_row_class}"' if number == 0 and first_row_class else ""
        rows.append(f"<tr{row_class}>{cells}</tr>")
    body = "\n".join(rows)
    return f'<div class="table"><table><thead><tr>{header}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def texts(rows: Sequence[Sequence[str]]) -> str:
    """Rows that are texts already, the first one the header."""
    return table(pd.DataFrame(rows[1:], columns=list(rows[0])))


def pairs(values: Mapping[str, str]) -> str:
    """Names and their values, one pair per line."""
    rows = "\n".join(
        f'<tr><th>{html.escape(key)}</th><td class="text">{html.escape(value)}</td></tr>'
        for key, value in values.items()
    )
    return f'<div class="table"><table>{rows}</table></div>'


def beside(*parts: str) -> str:
    """Tables side by side where there is room."""
    return f'<div class="columns">{"".join(parts)}</div>'


def preformatted(text: str) -> str:
    """Text with its own line breaks, such as a configuration."""
    return f"<pre>{html.escape(text)}</pre>"


def _kind(column: "pd.Series[Any]", is_text: bool) -> str:
    return "text" if is_text else "number" if pd.api.types.is_numeric_dtype(column) else "word"


def _cell(name: str, value: Any, format_value: Format) -> str:  # noqa: ANN401 - whatever the frame holds
    if pd.isna(value):
        return ""
    text = html.escape(format_value(value))
    if name == "state":
        return f'<span class="state" style="border-color:{STATE_COLORS.get(str(value), "#999")}">{text}</span>'
    return text
