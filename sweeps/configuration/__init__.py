"""What a sweep is told: the configuration, from TOML to a checked value."""
