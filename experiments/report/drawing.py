"""A figure as plotly.js takes it: plain data, in a tenth of the time that plotly's classes take to check them.

The tests check what is drawn by those classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Drawing:
    """Traces and layout, by the names of https://plotly.com/javascript/reference; arrays are lists or NumPy's.

    Attributes:
        data: The traces.
        layout: Axes, shapes and the rest; the page decides how figures look.
    """

    data: list[dict[str, Any]] = field(default_factory=list)
    layout: dict[str, Any] = field(default_factory=dict)

    def add(self, kind: str, **properties: object) -> None:
        """Add a trace: "scatter", "bar", "box"."""
        self.data.append({"type": kind, **properties})

    def add_vertical_line(self, x: float, line: dict[str, Any]) -> None:
        """Add a line from the bottom of the plot to its top."""
        ends = {"x0": x, "x1": x, "xref": "x", "y0": 0, "y1": 1, "yref": "y domain"}
        self.layout.setdefault("shapes", []).append({"type": "line", **ends, "line": line})

    def update_layout(self, **properties: object) -> None:
        """Set properties of the layout."""
        self.layout.update(properties)

    def to_plotly_json(self) -> dict[str, Any]:
        """As plotly's figures say it."""
        return {"data": self.data, "layout": self.layout}
