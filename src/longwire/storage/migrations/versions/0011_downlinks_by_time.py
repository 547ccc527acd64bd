"""Downlinks are counted by time.

Revision ID: 0011
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index("downlink_by_time", "downlink", ["created_at", "connection_id", "status"])
