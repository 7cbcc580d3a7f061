"""Measurements: each prints ratios taken side by side in one run, and can write a record."""
