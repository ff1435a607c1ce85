"""Benchmarks: each prints a table and, as its last line, one JSON object of figures.

They report and never judge: these figures are no test's condition.
"""
