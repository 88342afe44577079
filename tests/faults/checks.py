"""What must be true once the faults are over (DESIGN §9), of database, provider, mails, broker."""

from collections import Counter, defaultdict
from collections.abc import Iterator

import redis
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from celeryconfig import beat_schedule
from models.kinds import QUEUES
from tests import invariants
from tests.faults.harness import Harness

# Each row that it finds is work that has not come to its end; periodic work always comes anew.
_UNFINISHED = """
    SELECT kind, state, attempts, last_error FROM job
    WHERE state IN ('ready', 'leased', 'dead') AND NOT (
        kind = ANY (%s) AND created_at > clock_timestamp() - interval '20 s')
    UNION ALL SELECT type, state, 0, reason FROM webhook_event WHERE state IN ('received', 'parked')
    UNION ALL SELECT 'mail', state, 0, recipient FROM notification WHERE state <> 'sent'"""
_PERIODIC = [entry["task"] for entry in beat_schedule.values()]


def settle(product: Harness) -> None:
    """Wait until nothing is left to do; then every promise must have been kept."""
    product.until(lambda: _is_quiet(product), "everything has come to its end")
    news = set(broken(product)) - product.reported
    product.reported |= news
    assert not news, "\n".join(sorted(news))


def _is_quiet(product: Harness) -> bool:
    paid = {email for (email,) in product.sql("SELECT email FROM orders WHERE state = 'paid'")}
    payers = {buyer.email for buyer in product.buyers if buyer.has_paid}
    return payers <= paid and not product.sql(_UNFINISHED, _PERIODIC)


def broken(product: Harness) -> Iterator[str]:
    """Every promise that was not kept, with what shows it."""
    yield from _database(product)
    yield from _orders(product)
    yield from _money(product)
    yield from _jobs(product)
    yield from _mails(product)
    yield from _redis(product)


def _database(product: Harness) -> Iterator[str]:
    engine = create_engine(product.run["database_url"].replace("://", "+psycopg://", 1))
    with Session(engine) as session:
        yield from invariants.broken(session)
    engine.dispose()
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


def _money(product: Harness) -> Iterator[str]:
    ledger = product.ledger
    theirs = Counter(
        (charge["payment_intent"], charge["amount"])
        for charge in ledger["charges"]
        if charge["status"] == "succeeded"
    )
    ours = Counter(
        product.sql("SELECT provider_payment_id, received_minor FROM payment WHERE settles")
    )
    if theirs != ours:
        yield f"charged but not booked: {theirs - ours}; booked but not charged: {ours - theirs}"
    opened = Counter(intent["metadata"]["payment_id"] for intent in ledger["payment_intents"])
    if twice := [payment for payment, times in opened.items() if times > 1]:
        yield f"payments {twice} were opened more than once"


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
    for buyer in product.buyers:
        expected = 1 if buyer.has_paid else 0
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
    # A worker killed as it took a message leaves it unacked: it is queued again after a while.
    return name in QUEUES.values() or name.startswith(("_kombu.binding.", "unacked"))
