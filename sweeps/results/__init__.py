"""What people and programs are told of a sweep, on a terminal and as data."""
