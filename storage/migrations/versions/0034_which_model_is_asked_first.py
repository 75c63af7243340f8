"""Which model is asked first"""

import sqlalchemy as sa
from alembic import op


revision = '0034'
down_revision = '0033'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table('assistants', schema=None) as batch_op:
        batch_op.add_column(sa.Column('model_preference', sa.String(length=20), server_default='order', nullable=False))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table('assistants', schema=None) as batch_op:
        batch_op.drop_column('model_preference')
