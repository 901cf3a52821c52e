"""What is wrong in a folder of sweeps: found from outside, mended where that is safe, else said with what to type."""
