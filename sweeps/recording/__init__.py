"""The record: a study's facts, on their way to MLflow."""
