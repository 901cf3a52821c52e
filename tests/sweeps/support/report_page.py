"""What the page of a report has, and what must never become part of it."""

SECTIONS = (
    "winner",
    "leaderboard",
    "history",
    "importances",
    "parallel",
    "slices",
    "curves",
    "depth-width",
    "time",
    "failures",
    "configuration",
)
"""The anchors of its sections, in their order."""

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
"""A text of a user's, which must reach no page unescaped."""
