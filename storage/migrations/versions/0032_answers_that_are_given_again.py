"""Answers that are given again"""

import sqlalchemy as sa
from alembic import op
from storage.tables.base import Moment

revision = '0032'
down_revision = '0031'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table('reusable_answers',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('tenant_id', sa.Uuid(), nullable=False),
    sa.Column('assistant_id', sa.Uuid(), nullable=False),
    sa.Column('message_id', sa.Uuid(), nullable=False),
    sa.Column('same', sa.String(length=64), nullable=False),
    sa.Column('around', sa.String(length=64), nullable=True),
    sa.Column('vector', sa.LargeBinary(), nullable=True),
    sa.Column('created_at', Moment(), server_default=sa.text('(CURRENT_TIMESTAMP)'), nullable=False),
    sa.Column('updated_at', Moment(), server_default=sa.text('(CURRENT_TIMESTAMP)'), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id', 'assistant_id'], ['assistants.tenant_id', 'assistants.id'], name=op.f('fk_reusable_answers_tenant_id_assistant_id_assistants'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id', 'message_id'], ['messages.tenant_id', 'messages.id'], name=op.f('fk_reusable_answers_tenant_id_message_id_messages'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name='fk_reusable_answers_tenant_id_tenants', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reusable_answers')),
    sa.UniqueConstraint('tenant_id', 'id', name=op.f('uq_reusable_answers_tenant_id_id')),
    sa.UniqueConstraint('tenant_id', 'message_id', name=op.f('uq_reusable_answers_tenant_id_message_id')),
    info={'tenant': True}
    )
    with op.batch_alter_table('reusable_answers', schema=None) as batch_op:
        batch_op.create_index('ix_reusable_answers_assistant_around', ['assistant_id', 'around'], unique=False)
        batch_op.create_index('ix_reusable_answers_assistant_same', ['assistant_id', 'same'], unique=False)

    with op.batch_alter_table('assistants', schema=None) as batch_op:
        batch_op.add_column(sa.Column('answer_reuse', sa.String(length=20), server_default='off', nullable=False))
        batch_op.add_column(sa.Column('answer_reuse_hours', sa.Integer(), server_default='24', nullable=False))



def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table('assistants', schema=None) as batch_op:
        batch_op.drop_column('answer_reuse_hours')
        batch_op.drop_column('answer_reuse')

    with op.batch_alter_table('reusable_answers', schema=None) as batch_op:
        batch_op.drop_index('ix_reusable_answers_assistant_same')
        batch_op.drop_index('ix_reusable_answers_assistant_around')

    op.drop_table('reusable_answers')
