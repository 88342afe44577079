"""prove what 0007 added

Reads the whole table, and stops nobody.

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-22 22:27:04.618203

"""
from alembic import op

# revision identifiers, used by Alembic.
revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade():
    op.execute('ALTER TABLE idempotency_key VALIDATE CONSTRAINT fk_idempotency_key_refund_id')


def downgrade():
    pass
