"""Rehearsal: a retirement campaign over a simulated fleet, on the real host, in virtual time."""
