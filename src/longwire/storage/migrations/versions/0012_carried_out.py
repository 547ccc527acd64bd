"""Which command each lane has carried out: one that was recorded just before the end is not forgotten.

Revision ID: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("connection_state", sa.Column("revision", sa.Integer(), nullable=True))
    op.add_column("connection_state", sa.Column("restarts", sa.Integer(), nullable=True))
