"""The auditor: what the product promises, checked against what the database holds."""

from models.audit import lateness, lives, orders, payments, stock, work

CHECKS = (
    *stock.CHECKS,
    *orders.CHECKS,
    *payments.CHECKS,
    *work.CHECKS,
    *lives.CHECKS,
    *lateness.CHECKS,
)
"""Every promise that the database alone can be asked about; of others see `reconciliation`."""
