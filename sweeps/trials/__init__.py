"""What a trial is: its place in the search space, its rungs, its state while it runs and when it ends."""
