"""One file a revision; its name begins with its number."""
