"""Pictures of assistants and spaces"""

import sqlalchemy as sa
from alembic import op
from storage.tables.base import Moment

revision = '0043'
down_revision = '0042'
branch_labels = None
depends_on = None
RETENTION = 'data_retention_days between 1 and 2555'
BEARERS = {
    'assistants': {'retention_range': RETENTION},
    'spaces': {
        'personal_has_owner': "(kind = 'personal') = (user_id is not null)",
        'only_shared_are_classified': "kind = 'shared' or security_classification_id is null",
        'retention_range': RETENTION,
    },
}


def upgrade() -> None:
    """Apply."""
    op.create_table('icons',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('tenant_id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('blob_id', sa.Uuid(), nullable=False),
    sa.Column('created_at', Moment(), server_default=sa.text('(CURRENT_TIMESTAMP)'), nullable=False),
    sa.Column('updated_at', Moment(), server_default=sa.text('(CURRENT_TIMESTAMP)'), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id', 'blob_id'], ['blobs.tenant_id', 'blobs.id'], name=op.f('fk_icons_tenant_id_blob_id_blobs'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['tenant_id', 'user_id'], ['users.tenant_id', 'users.id'], name=op.f('fk_icons_tenant_id_user_id_users'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name='fk_icons_tenant_id_tenants', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_icons')),
    sa.UniqueConstraint('tenant_id', 'id', name=op.f('uq_icons_tenant_id_id')),
    info={'tenant': True}
    )
    with op.batch_alter_table('icons', schema=None) as batch_op:
        batch_op.create_index('ix_icons_tenant_id_blob_id', ['tenant_id', 'blob_id'], unique=False)
        batch_op.create_index('ix_icons_tenant_id_user_id', ['tenant_id', 'user_id'], unique=False)
    for table in BEARERS:
        with op.batch_alter_table(table, schema=None, table_args=_checks(table)) as batch_op:
            batch_op.add_column(sa.Column('icon_id', sa.Uuid(), nullable=True))
            batch_op.create_index(f'ix_{table}_tenant_id_icon_id', ['tenant_id', 'icon_id'], unique=False)
            batch_op.create_foreign_key(op.f(f'fk_{table}_tenant_id_icon_id_icons'), 'icons', ['tenant_id', 'icon_id'], ['tenant_id', 'id'], ondelete='RESTRICT')


def _checks(table: str) -> tuple[sa.CheckConstraint, ...]:
    """SQLite makes the table anew, and what it checks is not found out by itself."""
    return tuple(sa.CheckConstraint(rule, name=op.f(f'ck_{table}_{name}')) for name, rule in BEARERS[table].items())


def downgrade() -> None:
    """Undo."""
    for table in BEARERS:
        with op.batch_alter_table(table, schema=None, table_args=_checks(table)) as batch_op:
            batch_op.drop_constraint(op.f(f'fk_{table}_tenant_id_icon_id_icons'), type_='foreignkey')
            batch_op.drop_index(f'ix_{table}_tenant_id_icon_id')
            batch_op.drop_column('icon_id')
    op.drop_table('icons')
