"""prove what 0015 added

Reads a whole table, and stops nobody.

Revision ID: 0016
Revises: 0015
Create Date: 2026-11-22 22:53:07.551044

"""
from alembic import op

# revision identifiers, used by Alembic.
revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None


def upgrade():
    op.execute('ALTER TABLE payment VALIDATE CONSTRAINT ck_payment_capture')


def downgrade():
    pass
