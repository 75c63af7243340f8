"""What models think before they answer"""

import sqlalchemy as sa
from alembic import op


revision = '0038'
down_revision = '0037'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table('messages', schema=None) as batch_op:
        batch_op.add_column(sa.Column('thought', sa.Text(), server_default='', nullable=False))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table('messages', schema=None) as batch_op:
        batch_op.drop_column('thought')
