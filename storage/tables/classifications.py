"""Security classifications of organisations."""

from sqlalchemy import Column, ForeignKeyConstraint, Integer, String, Text, UniqueConstraint

from domain.classifications.entities import SecurityClassification
from storage.tables.base import mapper, tenant_table

security_classifications = tenant_table(
    "security_classifications",
    Column("name", String(255), nullable=False),
    Column("level", Integer, nullable=False),
    Column("description", Text),
    UniqueConstraint("tenant_id", "name"),
)


def classified(table: str) -> ForeignKeyConstraint:
    """For tables whose rows may have a classification: one that is in use cannot go, whoever deletes it."""
    return ForeignKeyConstraint(
        ["tenant_id", "security_classification_id"],
        ["security_classifications.tenant_id", "security_classifications.id"],
        ondelete="RESTRICT",
        name=f"fk_{table}_classification",
    )


mapper.map_imperatively(SecurityClassification, security_classifications)
