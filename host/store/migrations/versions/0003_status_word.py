"""Status word."""

from __future__ import annotations

from typing import Final

from alembic import op

from host.store.migrations.columns import words

revision: Final = "0003"
down_revision: Final = "0002"


def upgrade() -> None:
    """From the revision before."""
    op.add_column("terminals", words("status_word", filled=True))
