"""Sessions are found by their end."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the index up."""
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.create_index("ix_session_end", ["site_id", "ended_at"], unique=False)


def downgrade() -> None:
    """Take the index back."""
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.drop_index("ix_session_end")
