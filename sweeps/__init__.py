"""Tunes deep networks with every attempt on record. See README.md."""
