"""keys of refunds

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-22 22:26:31.201944

"""
from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('idempotency_key', sa.Column('refund_id', sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f('fk_idempotency_key_refund_id'), 'idempotency_key', 'refund', ['refund_id'], ['id'], postgresql_not_valid=True)


def downgrade():
    op.drop_constraint(op.f('fk_idempotency_key_refund_id'), 'idempotency_key', type_='foreignkey')
    op.drop_column('idempotency_key', 'refund_id')
