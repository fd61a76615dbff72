"""A terminal that is operated by hand: from a shell, or by other programs through a port."""
