"""find refunds by time

Built while the shop is open; after a failure it is built again.

Revision ID: 0014
Revises: 0013
Create Date: 2026-11-22 23:05:37.114870

"""
from alembic import op

# revision identifiers, used by Alembic.
revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None


def upgrade():
    with op.get_context().autocommit_block():
        op.drop_index('ix_refund_sent_at', table_name='refund', if_exists=True, postgresql_concurrently=True)
        op.create_index('ix_refund_sent_at', 'refund', ['sent_at'], unique=False, postgresql_concurrently=True, if_not_exists=True)


def downgrade():
    with op.get_context().autocommit_block():
        op.drop_index('ix_refund_sent_at', table_name='refund', if_exists=True, postgresql_concurrently=True)
