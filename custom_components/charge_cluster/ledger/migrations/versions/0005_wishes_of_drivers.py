"""What drivers wish of their sessions, and the priority that a driver has."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COLUMNS = (
    ("session", "departure_at", sa.Float()),
    ("session", "wanted_wh", sa.Float()),
    ("driver", "priority", sa.Integer()),
)


def upgrade() -> None:
    """Bring the columns up."""
    for table, name, kind in COLUMNS:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    """Take the columns back."""
    for table, name, _ in reversed(COLUMNS):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column(name)
