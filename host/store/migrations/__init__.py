"""The way from one schema to the next: numbered revisions, applied by Alembic, each in the transaction of them all."""
