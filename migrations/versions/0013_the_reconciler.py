"""the reconciler

Revision ID: 0013
Revises: 0012
Create Date: 2026-11-22 23:04:51.730264

"""
from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('reconciliation',
    sa.Column('provider', sa.Text(), nullable=False),
    sa.Column('compared', sa.Text(), nullable=False),
    sa.Column('complete_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('thorough_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('began_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('until', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('provider', 'compared', name=op.f('pk_reconciliation'))
    )
    op.add_column('finding', sa.Column('provider', sa.Text(), nullable=True))
    op.add_column('finding', sa.Column('reference', sa.Text(), nullable=True))


def downgrade():
    op.drop_column('finding', 'reference')
    op.drop_column('finding', 'provider')
    op.drop_table('reconciliation')
