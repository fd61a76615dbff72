"""The bank examiner: an independent look at what host and terminals did, by NVRAM bytes, database, wire and slips.

Nothing in this package imports the host, the terminal or the machine; formats and rules are stated here once more.
"""
