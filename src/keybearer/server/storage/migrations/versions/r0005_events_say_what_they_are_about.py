"""Events say what they are about, so that each is delivered only to accounts that may see it at that time.

Earlier events do not say it. They are deleted together with the queues that wait for them; clients register new queues.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add what an event is about, and delete earlier events and queues."""
    op.execute("DELETE FROM event_queues")
    op.execute("DELETE FROM events")
    op.add_column("events", sa.Column("about", sa.Text, nullable=False, server_default=""))
