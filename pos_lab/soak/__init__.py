"""Real processes, killed again and again while shops sell, and examined by the examiner of the simulation."""
