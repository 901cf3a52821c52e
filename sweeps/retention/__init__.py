"""Which studies are kept, and how the others are taken away everywhere. See README.md."""
