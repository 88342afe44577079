"""The staff desk: pages for those who ship, refund and look after what is stuck.

Plain HTML forms that work without scripts; htmx keeps open pages fresh. Each act is the verb
of the models that the API calls, too.
"""

from web.desk import (
    bulk,
    door,
    events,
    jobs,
    mails,
    order,
    order_acts,
    orders,
    overview,
    person,
    stock,
    stock_import,
)
from web.desk.frame import blueprint

__all__ = [
    "blueprint",
    "bulk",
    "door",
    "events",
    "jobs",
    "mails",
    "order",
    "order_acts",
    "orders",
    "overview",
    "person",
    "stock",
    "stock_import",
]
