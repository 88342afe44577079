"""Booking what an event says in one round trip, if nothing stands against it.

The function `book_success` of the database does for the plain story what `settling` does for any:
an order that waits for its money, the one payment of it, all of its amount. The order becomes paid,
its stock is taken, its mail is staged, the event is applied and the job is over, in a transaction
of its own, fenced by the job's lease. An event that a payment is open, as is known, ends likewise.
Whatever is not plain is left to `settling`: nothing is written then, and nobody says why
(docs/adr/0030).
"""

import secrets

from sqlalchemy.orm import Session

import settings
from models import job, journal, kinds, leaving
from models.function import Function
from models.intents import PaymentSnapshot
from models.job import Lease
from models.session import now, signal_after_commit
from models.statement import Statement
from models.webhook_event import WebhookEvent

_MAIL = "notifications.send"
BOOK = Function(
    "book_success",
    "booked_order bigint, booked_payment bigint, staged_job bigint",
    """
DECLARE
    told record;
    bought record;
    paying record;
    happened record;
BEGIN
    SELECT * INTO told FROM json_to_record(given) AS (
        job_id bigint, token uuid, attempt bigint, event_row_id bigint, reason text, provider text,
        provider_payment_id text, amount_minor bigint, currency text, raw jsonb, message_token text,
        mail_kind text, mail_queue text, mail_attempts bigint);

    PERFORM FROM job WHERE id = told.job_id AND lease_token = told.token FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT orders.id, email INTO bought FROM orders
    WHERE id = (SELECT order_id FROM payment WHERE provider = told.provider
                AND provider_payment_id = told.provider_payment_id)
      AND state = 'pending' AND closing IS NULL
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT id, state INTO paying FROM payment
    WHERE provider = told.provider AND provider_payment_id = told.provider_payment_id
      AND state IN ('open', 'requires_action', 'processing')
      AND amount_minor = told.amount_minor AND currency = told.currency
    FOR NO KEY UPDATE;
    IF NOT FOUND OR EXISTS (SELECT FROM payment WHERE order_id = bought.id AND state = 'waiting')
        OR EXISTS (SELECT FROM refund WHERE payment_id = paying.id) THEN
        RETURN;
    END IF;
    SELECT state INTO happened FROM webhook_event
    WHERE id = told.event_row_id AND state IN ('received', 'parked')
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM FROM stock_item
    WHERE id IN (SELECT item_id FROM reservation WHERE order_id = bought.id AND state = 'active')
    ORDER BY id FOR NO KEY UPDATE;

    RETURN QUERY
    WITH settled AS (
        UPDATE payment SET state = 'succeeded', settles = true, received_minor = amount_minor,
            raw_response = told.raw, client_secret = NULL, redirect_url = NULL, look_at = NULL,
            looks = 0, refunded_minor = 0, ended_at = moment
        WHERE id = paying.id
    ), paid AS (
        UPDATE orders SET state = 'paid', refunded_minor = 0, paid_at = moment WHERE id = bought.id
    ), applied AS (
        UPDATE webhook_event SET state = 'applied', reason = told.reason, order_id = bought.id,
            ended_at = moment
        WHERE id = told.event_row_id
    ), noted AS (
        INSERT INTO journal (order_id, subject, subject_id, what, from_state, to_state, who, why,
            at)
        VALUES
            (bought.id, 'payment', paying.id, 'payment.state', paying.state, 'succeeded',
             told.provider, 'told by event', moment),
            (bought.id, 'orders', bought.id, 'orders.state', 'pending', 'paid',
             told.provider, 'payment ' || paying.id || ' succeeded', moment),
            (bought.id, 'webhook_event', told.event_row_id, 'webhook_event.state', happened.state,
             'applied', told.provider, told.reason, moment)
    ), ended AS (
        UPDATE reservation SET state = 'taken' WHERE order_id = bought.id AND state = 'active'
        RETURNING item_id, quantity
    ), sold AS (
        UPDATE stock_item SET stock = stock - quantity, held = held - quantity,
            status = CASE WHEN NOT is_unique OR status = 'archived' THEN status ELSE 'sold' END
        FROM ended WHERE id = item_id
    ), moved AS (
        INSERT INTO stock_movement (item_id, order_id, stock_delta, held_delta, reason, who, at)
        SELECT item_id, bought.id, -quantity, -quantity, 'taken', told.provider, moment FROM ended
    ), mailed AS (
        INSERT INTO notification (order_id, kind, recipient, copy, state, message_id, created_at)
        VALUES (bought.id, 'order_paid', bought.email, 0, 'staged',
                'order_paid.' || bought.id || '.' || told.message_token, moment)
        ON CONFLICT DO NOTHING
        RETURNING id
    ), staged AS (
        INSERT INTO job (kind, dedupe_key, order_id, payload, queue, state, run_at, attempts,
            max_attempts, rung_at, created_at)
        SELECT told.mail_kind, 'mail:' || id, bought.id,
            jsonb_build_object('notification_id', id), told.mail_queue, 'ready', moment, 0,
            told.mail_attempts, true_moment, moment
        FROM mailed
        ON CONFLICT (dedupe_key) DO NOTHING
        RETURNING id
    ), done AS (
        UPDATE job SET state = 'done', lease_token = NULL, lease_until = NULL,
            rung_at = true_moment, finished_at = moment
        WHERE id = told.job_id
    ), tried AS (
        INSERT INTO job_attempt (job_id, attempt, lease_token, outcome, ended_at)
        VALUES (told.job_id, told.attempt, told.token, 'done', moment)
    )
    SELECT bought.id, paying.id, (SELECT id FROM staged);
END
""",
)


_SAME = "provider = %(provider)s AND provider_payment_id = %(provider_payment_id)s"
# Only the clock and terms of ours are interpolated, never a value (S608).
_NO_NEWS = Statement(f"""
WITH known AS (
    SELECT id, order_id FROM payment
    WHERE {_SAME} AND state = %(said)s AND amount_minor = %(amount_minor)s
      AND currency = %(currency)s
      AND EXISTS (SELECT FROM webhook_event WHERE id = %(event_row_id)s AND state = %(was)s)
    FOR NO KEY UPDATE
), {leaving.done("EXISTS (SELECT FROM known)")}
, changed AS (
    UPDATE webhook_event SET state = %(becomes)s, reason = %(why)s, order_id = known.order_id,
        ended_at = {now()}
    FROM known WHERE webhook_event.id = %(event_row_id)s AND EXISTS (SELECT FROM given_back)
    RETURNING webhook_event.id, known.order_id
), also AS ({journal.of_what_changed(WebhookEvent)}
)
SELECT order_id, (SELECT id FROM known) FROM changed
""")  # noqa: S608


def is_plain(snapshot: PaymentSnapshot) -> bool:
    """Whether a payment as an event tells of it may be booked quickly."""
    is_whole = snapshot.state == "succeeded" and snapshot.received_minor == snapshot.amount_minor
    is_ours = snapshot.is_live == settings.current().is_production
    return is_ours and snapshot.failure is None and (is_whole or snapshot.state == "open")


def book(
    session: Session, lease: Lease, event: WebhookEvent, snapshot: PaymentSnapshot
) -> tuple[int, int] | None:
    """The order that the event was about and its payment, or None and nothing written.

    The session must be one `at_once`, and the snapshot plain. None is no refusal: it says that
    `settling` must decide. Otherwise the job is over.
    """
    if snapshot.state == "open":
        return _book_no_news(session, lease, event, snapshot)
    return _book_success(session, lease, event, snapshot)


def _book_no_news(
    session: Session, lease: Lease, event: WebhookEvent, snapshot: PaymentSnapshot
) -> tuple[int, int] | None:
    """A payment that is open, as is known already: only the event and the job end."""
    row = _NO_NEWS.row(
        session,
        {
            "event_row_id": event.id,
            "provider": event.provider,
            "provider_payment_id": snapshot.provider_payment_id,
            "said": snapshot.state,
            "amount_minor": snapshot.amount_minor,
            "currency": snapshot.currency,
            **journal.said(
                WebhookEvent, "state", event.state, "applied", who=event.provider, why=event.type
            ),
            **lease.done,
        },
    )
    if row is None:
        return None
    order_id, payment_id = row
    return order_id, payment_id


def _book_success(
    session: Session, lease: Lease, event: WebhookEvent, snapshot: PaymentSnapshot
) -> tuple[int, int] | None:
    mail = kinds.get(_MAIL)
    row = BOOK.call(
        session,
        {
            "job_id": lease.job_id,
            "token": lease.token,
            "attempt": lease.attempt,
            "event_row_id": event.id,
            "reason": event.type,
            "provider": event.provider,
            "provider_payment_id": snapshot.provider_payment_id,
            "amount_minor": snapshot.amount_minor,
            "currency": snapshot.currency,
            "raw": dict(snapshot.raw),
            "message_token": secrets.token_hex(8),
            "mail_kind": mail.name,
            "mail_queue": mail.queue,
            "mail_attempts": mail.retry.attempts,
        },
    )
    if row is None:
        return None
    order_id, payment_id, staged = row
    if staged is not None:
        job.was_staged(session, _MAIL, staged, order_id=order_id)
    for name in (f"payment:{payment_id}", f"order:{order_id}"):
        signal_after_commit(session, name)
    return order_id, payment_id
