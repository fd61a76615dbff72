"""Deterministic simulation: the real host and real terminals in virtual time, under faults that a seed decides."""
