"""A study's report: on a terminal, as a table, as a page with all figures."""
