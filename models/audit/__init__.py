"""The auditor: what the product promises, checked against what the database holds."""

from models.audit import lateness, lives, orders, payments, refunds, stock, work

CHECKS = (
    *stock.CHECKS,
    *orders.CHECKS,
    *payments.CHECKS,
    *refunds.CHECKS,
    *work.CHECKS,
    *lives.CHECKS,
    *lateness.CHECKS,
)
"""Every promise that the database alone can be asked about; of others see `reconciliation`."""
