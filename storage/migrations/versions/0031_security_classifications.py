"""Security classifications"""

import sqlalchemy as sa
from alembic import op
from storage.tables.base import Moment

revision = '0031'
down_revision = '0030'
branch_labels = None
depends_on = None

MODELS = ('completion_models', 'embedding_models', 'transcription_models')
ONLY_SHARED = "kind = 'shared' or security_classification_id is null"


def upgrade() -> None:
    """Apply."""
    op.create_table('security_classifications',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('tenant_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('level', sa.Integer(), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('created_at', Moment(), server_default=sa.text('(CURRENT_TIMESTAMP)'), nullable=False),
    sa.Column('updated_at', Moment(), server_default=sa.text('(CURRENT_TIMESTAMP)'), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name='fk_security_classifications_tenant_id_tenants', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_security_classifications')),
    sa.UniqueConstraint('tenant_id', 'id', name=op.f('uq_security_classifications_tenant_id_id')),
    sa.UniqueConstraint('tenant_id', 'name', name=op.f('uq_security_classifications_tenant_id_name')),
    info={'tenant': True}
    )
    for table in MODELS:
        with op.batch_alter_table(table, schema=None) as batch_op:
            _classified(batch_op, table)
    with op.batch_alter_table('spaces', schema=None, table_args=_checks()) as batch_op:
        _classified(batch_op, 'spaces')
        batch_op.create_check_constraint(op.f('ck_spaces_only_shared_are_classified'), ONLY_SHARED)


def _checks() -> tuple[sa.CheckConstraint, ...]:
    """SQLite makes the table anew, and what it checks is not found out by itself."""
    return (
        sa.CheckConstraint("(kind = 'personal') = (user_id is not null)", name=op.f('ck_spaces_personal_has_owner')),
        sa.CheckConstraint('data_retention_days between 1 and 2555', name=op.f('ck_spaces_retention_range')),
    )


def _classified(batch_op: object, table: str) -> None:
    batch_op.add_column(sa.Column('security_classification_id', sa.Uuid(), nullable=True))
    name = op.f(f'fk_{table}_classification')
    batch_op.create_foreign_key(name, 'security_classifications', ['tenant_id', 'security_classification_id'], ['tenant_id', 'id'], ondelete='RESTRICT')


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table('spaces', schema=None, table_args=_checks()) as batch_op:
        batch_op.drop_constraint(op.f('fk_spaces_classification'), type_='foreignkey')
        batch_op.drop_column('security_classification_id')
    for table in MODELS:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_constraint(op.f(f'fk_{table}_classification'), type_='foreignkey')
            batch_op.drop_column('security_classification_id')
    op.drop_table('security_classifications')
