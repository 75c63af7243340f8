"""Others than the conversation's assistant answer"""

import sqlalchemy as sa
from alembic import op


revision = '0037'
down_revision = '0036'
branch_labels = None
depends_on = None
REFERENCE = 'fk_messages_tenant_id_assistant_id_assistants'


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table('messages', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f(REFERENCE), type_='foreignkey')


def downgrade() -> None:
    """Undo. Answers of assistants that are gone cannot stay."""
    if op.get_bind().dialect.name == 'postgresql':
        # Forced row-level security hides the rows from the owner; it is forced again after every upgrade.
        op.execute('alter table messages no force row level security')
        op.execute('alter table assistants no force row level security')
    op.execute('delete from messages where assistant_id not in (select id from assistants)')
    with op.batch_alter_table('messages', schema=None) as batch_op:
        batch_op.create_foreign_key(
            batch_op.f(REFERENCE),
            'assistants',
            ['tenant_id', 'assistant_id'],
            ['tenant_id', 'id'],
            ondelete='CASCADE',
        )
