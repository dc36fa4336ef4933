"""Fuzzing of everything that reads what others wrote: ``python -m fuzz.run --seconds 60``."""
