"""prove what 0020 added

Reads a whole table, and stops nobody. The index is built while the shop is open; after a failure
it is built again.

Revision ID: 0021
Revises: 0020
Create Date: 2026-11-23 04:44:40.118205

"""
from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None


def upgrade():
    with op.get_context().autocommit_block():
        op.drop_index('uq_payment_waiting', table_name='payment', if_exists=True, postgresql_concurrently=True)
        op.create_index('uq_payment_waiting', 'payment', ['order_id'], unique=True, postgresql_where=sa.text("state = 'waiting'"), postgresql_concurrently=True, if_not_exists=True)
    op.execute('ALTER TABLE payment VALIDATE CONSTRAINT ck_payment_state')


def downgrade():
    with op.get_context().autocommit_block():
        op.drop_index('uq_payment_waiting', table_name='payment', if_exists=True, postgresql_concurrently=True)
