"""Pinned and temporary conversations"""

import sqlalchemy as sa
from alembic import op
from storage.tables.base import Moment


revision = '0033'
down_revision = '0032'
branch_labels = None
depends_on = None
PINNED, TEMPORARY = sa.text('pinned_at IS NOT NULL'), sa.text('temporary')


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table('conversations', schema=None) as batch_op:
        batch_op.add_column(sa.Column('pinned_at', Moment(), nullable=True))
        batch_op.add_column(sa.Column('temporary', sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.create_index('ix_conversations_pinned', ['tenant_id', 'user_id'], unique=False, sqlite_where=PINNED, postgresql_where=PINNED)
        batch_op.create_index('ix_conversations_temporary', ['tenant_id', 'last_message_at'], unique=False, sqlite_where=TEMPORARY, postgresql_where=TEMPORARY)


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table('conversations', schema=None) as batch_op:
        batch_op.drop_index('ix_conversations_temporary')
        batch_op.drop_index('ix_conversations_pinned')
        batch_op.drop_column('temporary')
        batch_op.drop_column('pinned_at')
