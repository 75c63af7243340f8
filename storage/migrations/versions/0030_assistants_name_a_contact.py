"""Assistants name a contact"""

import sqlalchemy as sa
from alembic import op


revision = '0030'
down_revision = '0029'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table('assistants', schema=None) as batch_op:
        batch_op.add_column(sa.Column('contact', sa.String(length=255), nullable=True))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table('assistants', schema=None) as batch_op:
        batch_op.drop_column('contact')
