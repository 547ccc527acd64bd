"""Which revision of a connection runs: after a kill its width tells what may have been in flight.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("connection", sa.Column("running", sa.Integer(), nullable=True))
