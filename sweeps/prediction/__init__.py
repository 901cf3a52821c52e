"""Predicting with a model that a sweep found."""
