"""the staff desk

Mails can be sent again, each time as a copy of its own. The new key is built while the shop is
open, before the old one goes.

Revision ID: 0018
Revises: 0017
Create Date: 2026-11-23 01:50:21.402117

"""
from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None

NEW, OLD = 'uq_notification_order_id_kind_recipient_copy', 'uq_notification_order_id_kind_recipient'
INDEXES = {
    'ix_webhook_event_order_id': ('webhook_event', 'order_id', {'postgresql_where': sa.text('order_id IS NOT NULL')}),
    'ix_orders_created_at': ('orders', 'created_at', {'postgresql_include': ['paid_at']}),
    'ix_orders_paid_at': ('orders', 'paid_at', {'postgresql_include': ['currency', 'total_minor'], 'postgresql_where': sa.text('paid_at IS NOT NULL')}),
}


def upgrade():
    op.add_column('notification', sa.Column('copy', sa.BigInteger(), server_default='0', nullable=False), if_not_exists=True)
    with op.get_context().autocommit_block():
        op.drop_index(NEW, table_name='notification', if_exists=True, postgresql_concurrently=True)
        op.create_index(NEW, 'notification', ['order_id', 'kind', 'recipient', 'copy'], unique=True, postgresql_concurrently=True, if_not_exists=True)
        for name, (table, column, options) in INDEXES.items():
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
            op.create_index(name, table, [column], unique=False, postgresql_concurrently=True, if_not_exists=True, **options)
    op.execute(f'ALTER TABLE notification ADD CONSTRAINT {NEW} UNIQUE USING INDEX {NEW}')
    # What the old key promises of mails that the shop sends, all of number 0, the new one does, too.
    op.execute(f'-- squawk-ignore ban-drop-constraint\nALTER TABLE notification DROP CONSTRAINT {OLD}')


def downgrade():
    op.execute('DELETE FROM notification WHERE copy > 0')
    op.create_unique_constraint(OLD, 'notification', ['order_id', 'kind', 'recipient'])
    op.drop_column('notification', 'copy')
    with op.get_context().autocommit_block():
        for name, (table, _, _) in INDEXES.items():
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
