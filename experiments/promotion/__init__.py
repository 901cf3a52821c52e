"""Whether a challenger takes the champion's place: statistics, the document that proves it, the alias. See README.md."""
