"""What must be true once the faults are over (DESIGN §9), of database, provider, mails, broker."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import redis

from celeryconfig import beat_schedule
from models.kinds import QUEUES
from tests import invariants
from tests.faults import money
from tests.faults.harness import Harness

# Each row that it finds is work that has not come to its end; periodic work always comes anew.
_UNFINISHED = """
    SELECT kind, state, attempts, last_error FROM job
    WHERE state IN ('ready', 'leased', 'dead') AND NOT (
        kind = ANY (%s)
        AND created_at > clock_timestamp() + coalesce((SELECT shift FROM clock_offset), '0')
            - interval '20 s')
    UNION ALL SELECT type, state, 0, reason FROM webhook_event WHERE state IN ('received', 'parked')
    UNION ALL SELECT 'mail', state, 0, recipient FROM notification WHERE state <> 'sent'
    UNION ALL SELECT 'refund', state, 0, failure FROM refund
    WHERE state IN ('requested', 'sent', 'unknown', 'pending')"""
# What we give back is told, once the provider has taken it.
_REFUNDS_TOLD = """
    SELECT email, count(*) FROM refund JOIN orders ON orders.id = order_id
    WHERE origin <> 'provider' AND provider_refund_id IS NOT NULL GROUP BY email"""
_PERIODIC = [entry["task"] for entry in beat_schedule.values()]


def settle(product: Harness) -> None:
    """Wait until nothing is left to do; then every promise must have been kept."""
    try:
        product.until(lambda: not any(_unrest(product)), "everything has come to its end")
    except AssertionError as error:
        raise AssertionError(f"{list(_unrest(product))}\n{error}") from None
    news = set(broken(product)) - product.reported
    product.reported |= news
    assert not news, "\n".join(sorted(news))


def _unrest(product: Harness) -> Iterator[Any]:
    """Whatever has not come to its end."""
    yield from product.sql(_UNFINISHED, _PERIODIC)
    paid = {email for (email,) in product.sql("SELECT email FROM orders WHERE state = 'paid'")}
    yield from {buyer.email for buyer in product.buyers if buyer.has_paid} - paid
    if product.is_telling:
        yield "events are on their way"


def catch(product: Harness, words: str) -> None:
    """Wait until the checks tell of what a careless process did, which is no news any more."""

    def is_caught() -> bool:
        found = set(broken(product)) - product.reported
        caught = {fault for fault in found if words in fault}
        product.reported |= found if caught else set()
        return bool(caught)

    product.until(is_caught, f"the checks say: {words}")


def broken(product: Harness) -> Iterator[str]:
    """Every promise that was not kept, with what shows it."""
    yield from _database(product)
    yield from _orders(product)
    yield from money.broken(product)
    yield from _jobs(product)
    yield from _mails(product)
    yield from _redis(product)


def _database(product: Harness) -> Iterator[str]:
    with product.database() as session:
        yield from invariants.broken(session)
    idle = product.sql(
        "SELECT pid, query FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%'"
        " AND state_change < clock_timestamp() - interval '2 s'"
    )
    if idle:
        yield f"transactions are left open: {idle}"


def _orders(product: Harness) -> Iterator[str]:
    stored = defaultdict(list)
    for order_id, email in product.sql("SELECT id, email FROM orders"):
        stored[email].append(order_id)
    for buyer in product.buyers:
        found = stored[buyer.email]
        if buyer.order and found != [buyer.order["id"]]:
            yield f"{buyer.email} was told of order {buyer.order['id']}; stored are {found}"
        elif len(found) > 1:
            yield f"{buyer.email} asked with one key; stored are {found}"


def _jobs(product: Harness) -> Iterator[str]:
    twice = product.sql(
        "SELECT job_id, kind, count(*) FROM job_attempt JOIN job ON job.id = job_id"
        " WHERE outcome = 'done' OR outcome LIKE 'skipped%%' GROUP BY 1, 2 HAVING count(*) > 1"
    )
    if twice:
        yield f"jobs ended more than once: {twice}"


def _mails(product: Harness) -> Iterator[str]:
    letters = defaultdict(set)
    for mail in product.mails("@faults.example"):
        letters[mail["to"]].add(mail["message_id"])
    refunds = dict(product.sql(_REFUNDS_TOLD))
    for buyer in product.buyers:
        expected = (1 if buyer.has_paid else 0) + refunds.get(buyer.email, 0)
        if len(letters[buyer.email]) != expected:
            yield f"{buyer.email} got {len(letters[buyer.email])} mails instead of {expected}"


def _redis(product: Harness) -> Iterator[str]:
    """Whatever is not a queue must end by itself."""
    for name in ("redis_url", "broker_url"):
        with redis.Redis.from_url(product.run[name]) as client:
            for key in client.scan_iter():
                if client.ttl(key) == -1 and not _may_stay(key.decode()):
                    yield f"{key.decode()} stays in Redis"


def _may_stay(key: str) -> bool:
    name = key.removeprefix("orders:faults:")
    return name in QUEUES.values() or name.startswith("_kombu.binding.")
