"""Whether a challenger takes the champion's place: statistics, document, alias. See README.md."""
