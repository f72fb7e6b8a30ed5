"""On how many phases the vehicles of sessions charged."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the column up."""
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.add_column(sa.Column("phases", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Take the column back."""
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.drop_column("phases")
