"""Conversations have branches"""

import sqlalchemy as sa
from alembic import op


revision = '0036'
down_revision = '0035'
branch_labels = None
depends_on = None
BEFORE = """
update messages set parent_id = (
    select earlier.id from messages earlier
    where earlier.tenant_id = messages.tenant_id and earlier.conversation_id = messages.conversation_id
    and earlier.id < messages.id order by earlier.id desc limit 1
)
"""


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table('conversations', schema=None) as batch_op:
        batch_op.add_column(sa.Column('shown_id', sa.Uuid(), nullable=True))
    with op.batch_alter_table('messages', schema=None) as batch_op:
        batch_op.add_column(sa.Column('parent_id', sa.Uuid(), nullable=True))
    # Until now each message followed the one before it.
    if op.get_bind().dialect.name == 'postgresql':
        # Forced row-level security hides the rows from the owner; it is forced again after every upgrade.
        op.execute('alter table messages no force row level security')
    op.execute(BEFORE)


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table('messages', schema=None) as batch_op:
        batch_op.drop_column('parent_id')
    with op.batch_alter_table('conversations', schema=None) as batch_op:
        batch_op.drop_column('shown_id')
