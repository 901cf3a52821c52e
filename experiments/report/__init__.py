"""A study's report as one HTML page that needs no network. `sweeps.report.page` decides what is on it."""

from experiments.report.page import Figure, Page, Section, Tile, share_plotly_js

__all__ = ["Figure", "Page", "Section", "Tile", "share_plotly_js"]
