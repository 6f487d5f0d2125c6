"""Measures the real system: the load, and the device that drives it."""
