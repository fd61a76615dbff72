"""The doctor: which reading of some bytes fits best, what contradicts it, and which setting cures that."""
