"""The overview: orders, money, the time to pay, and how old the queues are."""

from collections import Counter
from collections.abc import Sequence

from flask import Response, request
from sqlalchemy.orm import Session

from models import days, figures, job_desk
from models.figures import Slot
from models.money import decimal_string
from models.session import transaction
from web.desk import plot
from web.desk.frame import allows, blueprint, render


@blueprint.get("/desk/overview/")
@allows("viewer")
def overview() -> Response:
    """The last day by hours, or the last month by days."""
    step: figures.Step = "hour" if request.args.get("by") == "hour" else "day"
    with transaction() as session:
        slots = days.last_month(session) if step == "day" else _last_day(session)
        queues = job_desk.stats(session)
    currencies = _currencies(slots)
    main = currencies[0] if currencies else None
    revenue = [_whole(slot, main) for slot in slots]
    return render(
        "overview.html",
        step=step,
        slots=slots,
        queues=queues,
        currencies=currencies,
        main=main,
        placed=sum(slot.placed for slot in slots),
        paid=sum(slot.paid for slot in slots),
        plot=plot,
        orders=plot.frame([slot.placed for slot in slots]),
        money=plot.frame(revenue),
        revenue=revenue,
        waits=plot.frame_of_time([slot.most_paid_in for slot in slots]),
        ages=plot.frame_of_time([queue.oldest_due_seconds for queue in queues]),
    )


def _last_day(session: Session) -> list[Slot]:
    return figures.counted(session, "hour", figures.last(session, "hour", 24))


def _currencies(slots: Sequence[Slot]) -> list[str]:
    """The currencies that came in, the one of most payments' worth first."""
    sums: Counter[str] = Counter()
    for slot in slots:
        sums.update(slot.revenue)
    return [currency for currency, _ in sums.most_common()]


def _whole(slot: Slot, currency: str | None) -> float:
    """What came in of a currency, in its whole units."""
    minor = slot.revenue.get(currency or "", 0)
    return float(decimal_string(minor, currency)) if currency and minor else 0
