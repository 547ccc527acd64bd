"""Downlinks are counted by time.

Revision ID: 0026
"""

from alembic import op

revision = "0026"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index("downlink_by_time", "downlink", ["created_at", "connection_id", "status"])
