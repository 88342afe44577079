"""how money is taken

Revision ID: 0015
Revises: 0014
Create Date: 2026-11-22 22:52:41.770312

"""
from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('payment', sa.Column('capture', sa.Text(), server_default='automatic', nullable=False))
    op.create_check_constraint(op.f('ck_payment_capture'), 'payment', "capture IN ('automatic', 'manual')", postgresql_not_valid=True)


def downgrade():
    op.drop_column('payment', 'capture')
