"""A study's report as one HTML page that needs no network. What is in it is decided in `sweeps.report.page`."""

from experiments.report.page import Figure, Page, Section, Tile

__all__ = ["Figure", "Page", "Section", "Tile"]
