"""The gate that a sweep's model passes to become champion, and the commands about it. See README.md."""
