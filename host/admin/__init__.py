"""Administrative acts as functions; the command line, scenarios and every later surface call only these."""
