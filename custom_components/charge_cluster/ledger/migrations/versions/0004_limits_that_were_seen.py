"""When a limit was sent, how it was worded, and when it was seen to be kept."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = (("sent_at", sa.Float()), ("form", sa.String()), ("seen_a", sa.Float()), ("seen_at", sa.Float()))


def upgrade() -> None:
    """Bring the columns up."""
    with op.batch_alter_table("limit_order", schema=None) as batch_op:
        for name, kind in COLUMNS:
            batch_op.add_column(sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    """Take the columns back."""
    with op.batch_alter_table("limit_order", schema=None) as batch_op:
        for name, _ in reversed(COLUMNS):
            batch_op.drop_column(name)
