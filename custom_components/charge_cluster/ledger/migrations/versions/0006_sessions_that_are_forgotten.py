"""Sessions that habits are no longer learned from."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the column up."""
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.add_column(sa.Column("forgotten", sa.Boolean(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Take the column back."""
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.drop_column("forgotten")
