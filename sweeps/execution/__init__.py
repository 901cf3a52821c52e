"""Where rungs are trained: executors, their workers, and the contract between them and the schedule."""
