"""The durable store: the only SQL and the only knowledge of SQLAlchemy."""
