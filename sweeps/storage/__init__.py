"""What a study leaves on disk or in a database, and who alone may write it."""
