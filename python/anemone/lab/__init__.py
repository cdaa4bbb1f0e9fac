"""The compression lab's helpers that are Python: the runner of sweeps on Ray (ray_runner.py)."""
