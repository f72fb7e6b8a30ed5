"""What sessions cost more than the cheapest hours of their stay would have, had each been alone."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the column up."""
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.add_column(sa.Column("saving_against_alone", sa.Float(), nullable=True))


def downgrade() -> None:
    """Take the column back."""
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.drop_column("saving_against_alone")
