"""Whether the studies of a sweep's name moved: statistics and figures over nights. See README.md."""
