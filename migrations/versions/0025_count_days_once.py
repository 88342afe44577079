"""count days once

What the days that are over came to; see models/days.py. Made of the orders alone.

Revision ID: 0025
Revises: 0024
Create Date: 2026-11-23 17:24:08.310552

"""
from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision = '0025'
down_revision = '0024'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('day_figures',
    sa.Column('begins', sa.DateTime(timezone=True), nullable=False),
    sa.Column('placed', sa.BigInteger(), nullable=False),
    sa.Column('paid', sa.BigInteger(), nullable=False),
    sa.Column('half_paid_in', sa.Double(), nullable=True),
    sa.Column('most_paid_in', sa.Double(), nullable=True),
    sa.Column('revenue', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('right_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('begins', name=op.f('pk_day_figures')),
    )


def downgrade():
    op.drop_table('day_figures')
