"""The list of orders: searched, filtered, page by page, and as CSV."""

import csv
import io
from collections.abc import Iterator, Sequence

from flask import Response, request, stream_with_context
from sqlalchemy.orm import Session

from models import order_desk, order_search
from models.money import decimal_string
from models.order_desk import Filter
from models.orders import Order
from models.session import transaction
from providers import registry
from web.cli.catalog_csv import harmless
from web.desk.frame import after, allows, blueprint, desk_time, render

SHOWN = {
    "all": Filter(),
    "to ship": Filter(status="paid", disputed=False, needs_review=False, stock_shortage=False),
    "unpaid": Filter(status="pending"),
    "review": Filter(needs_review=True),
    "shortage": Filter(stock_shortage=True),
    "disputed": Filter(disputed=True),
    "shipped": Filter(status="shipped"),
    "delivered": Filter(status="delivered"),
    "part refunded": Filter(status="partially_refunded"),
    "refunded": Filter(status="refunded"),
    "expired": Filter(status="expired"),
    "cancelled": Filter(status="cancelled"),
}
"""What the list can be narrowed to."""
_PAGE = 50
_BATCH = 500
_LONGEST_TEXT = 254
_COLUMNS = (
    "order_number",
    "id",
    "created_at",
    "status",
    "email",
    "currency",
    "total",
    "refunded",
    "items",
    "country",
    "needs_review",
    "stock_shortage",
    "disputed",
)


@blueprint.get("/desk/orders/")
@allows("viewer")
def orders_list() -> Response:
    """Orders, newest first."""
    with transaction() as session:
        found = order_desk.find(session, _wanted(session), limit=_PAGE + 1, after=after())
        clock = desk_time(session)
    return render(
        "orders.html",
        orders=found[:_PAGE],
        more=found[_PAGE - 1].id if len(found) > _PAGE else None,
        clock=clock,
        shown=SHOWN,
        show=_show(),
        text=_text(),
    )


@blueprint.get("/desk/orders.csv")
@allows("viewer")
def orders_csv() -> Response:
    """The same orders, all of them, for a spreadsheet; sent while they are read."""
    answer = Response(stream_with_context(_lines()), mimetype="text/csv")
    answer.headers["Content-Disposition"] = 'attachment; filename="orders.csv"'
    return answer


def _show() -> str:
    show = request.args.get("show", "all")
    return show if show in SHOWN else "all"


def _text() -> str:
    return request.args.get("q", "").replace("\0", "").strip()[:_LONGEST_TEXT]


def _wanted(session: Session) -> Filter:
    wanted, text = SHOWN[_show()], _text()
    if not text:
        return wanted
    return order_search.meant(session, text, wanted, providers=registry.NAMES)


def _lines() -> Iterator[str]:
    yield _csv([_COLUMNS])
    last = None
    while True:
        with transaction() as session:
            batch = order_desk.find(session, _wanted(session), limit=_BATCH, after=last)
        if not batch:
            return
        yield _csv([_cells(order) for order in batch])
        last = batch[-1].id


def _cells(order: Order) -> Sequence[str]:
    items = ", ".join(f"{line.quantity} x {line.product_sku}" for line in order.lines)
    facts = (
        order.order_number,
        str(order.id),
        order.created_at.isoformat(timespec="seconds"),
        order.status,
        order.email,
        order.currency,
        decimal_string(order.total_minor, order.currency),
        decimal_string(order.refunded_minor, order.currency),
        items,
        order.addresses[0].country if order.addresses else "",
        *("yes" if getattr(order, flag) else "" for flag in _COLUMNS[-3:]),
    )
    return [harmless(fact) for fact in facts]


def _csv(rows: Sequence[Sequence[str]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()
