"""find what to look at

Built while the shop is open; after a failure it is built again.

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-22 22:12:03.551820

"""
from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade():
    with op.get_context().autocommit_block():
        op.drop_index('ix_payment_look_at', table_name='payment', if_exists=True, postgresql_concurrently=True)
        op.create_index('ix_payment_look_at', 'payment', ['look_at'], unique=False, postgresql_where=sa.text('look_at IS NOT NULL'), postgresql_concurrently=True, if_not_exists=True)


def downgrade():
    with op.get_context().autocommit_block():
        op.drop_index('ix_payment_look_at', table_name='payment', if_exists=True, postgresql_concurrently=True)
