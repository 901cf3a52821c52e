"""Ready-made configurations, one TOML file each."""
