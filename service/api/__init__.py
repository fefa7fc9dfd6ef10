"""HTTP: parse, call, render, nothing else."""
