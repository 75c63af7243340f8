"""The audit log and the ledger of model calls by month, on Postgres"""

from alembic import op
from storage import partitions

revision = '0044'
down_revision = '0043'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    if op.get_bind().dialect.name == 'postgresql':
        for table in partitions.DIVIDED:
            partitions.divide(op.get_bind(), table)


def downgrade() -> None:
    """Nothing to undo: what is divided reads as what is whole."""
