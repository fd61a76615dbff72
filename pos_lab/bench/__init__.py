"""Paired measurements: ours and the peers' in turn, in one run."""
