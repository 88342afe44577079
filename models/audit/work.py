"""Work: events, mails and jobs come to one end each, and keys stand for one request each."""

from models.audit.check import Check

CHECKS = (
    # By uq_idempotency_key_caller_endpoint_key for each key.
    Check(
        name="key.stands_for_one_request",
        invariant=1,
        subject="idempotency_key",
        repair="Cancel what the later request made.",
        query="""
            SELECT id, order_id, format('key %s made something as well', twin) AS detail
            FROM idempotency_key, LATERAL (
                SELECT min(id) AS twin FROM idempotency_key AS other
                WHERE (other.caller, other.endpoint, other.key)
                    = (idempotency_key.caller, idempotency_key.endpoint, idempotency_key.key)
                ) AS same
            WHERE id BETWEEN :low AND :high AND twin < id""",
    ),
    # By uq_webhook_event_provider_event_id for each event.
    Check(
        name="event.is_stored_once",
        invariant=6,
        subject="webhook_event",
        repair="See in the timeline whether both were applied.",
        query="""
            SELECT id, order_id, format('event %s is the same', twin) AS detail
            FROM webhook_event, LATERAL (
                SELECT min(id) AS twin FROM webhook_event AS other
                WHERE (other.provider, other.event_id)
                    = (webhook_event.provider, webhook_event.event_id)) AS same
            WHERE id BETWEEN :low AND :high AND twin < id""",
    ),
    # By uq_job_dedupe_key for each event that waits.
    Check(
        name="event.has_its_job",
        invariant=6,
        subject="webhook_event",
        repair="Have the job tried again: flask jobs retry.",
        query="""
            SELECT id, order_id, format('%s waits, and no job will apply it', type) AS detail
            FROM webhook_event
            WHERE id BETWEEN :low AND :high AND state = 'received' AND NOT EXISTS (
                SELECT FROM job WHERE dedupe_key = 'hook:' || provider || ':' || event_id
                AND state IN ('ready', 'leased', 'dead'))""",
    ),
    # By uq_job_dedupe_key for each mail that waits.
    Check(
        name="mail.has_its_job",
        invariant=7,
        subject="notification",
        repair="Have the job tried again: flask jobs retry.",
        query="""
            SELECT id, order_id, format('%s waits, and no job will send it', kind) AS detail
            FROM notification
            WHERE id BETWEEN :low AND :high AND state = 'staged' AND NOT EXISTS (
                SELECT FROM job WHERE dedupe_key = 'mail:' || notification.id
                AND state IN ('ready', 'leased', 'dead'))""",
    ),
    # By uq_notification_order_id_kind_recipient_copy for each mail.
    Check(
        name="mail.goes_out_once",
        invariant=7,
        subject="notification",
        repair="Cancel the job of the later mail, if it has not gone out.",
        query="""
            SELECT id, order_id, format('mail %s says the same to the same', twin) AS detail
            FROM notification, LATERAL (
                SELECT min(id) AS twin FROM notification AS other
                WHERE (other.order_id, other.kind, other.recipient, other.copy)
                    = (notification.order_id, notification.kind, notification.recipient,
                       notification.copy)) AS same
            WHERE id BETWEEN :low AND :high AND twin < id""",
    ),
    # By ix_journal_subject_subject_id for each mail.
    Check(
        name="mail.tells_of_a_change",
        invariant=7,
        subject="notification",
        repair="Write to the customer that it was a mistake.",
        query="""
            SELECT id, order_id, format('it says %s, and the journal does not', kind) AS detail
            FROM notification
            WHERE id BETWEEN :low AND :high AND starts_with(kind, 'order_')
            AND created_at >= :journal_since AND NOT EXISTS (
                SELECT FROM journal WHERE subject = 'orders'
                AND subject_id = notification.order_id AND 'order_' || to_state = kind)""",
    ),
    # By ix_job_dead.
    Check(
        name="job.dead_says_why",
        invariant=8,
        subject="job",
        at_once=True,
        repair="See the worker's log, then retry or cancel it.",
        query="""
            SELECT id, order_id, format('%s is dead without a word', kind) AS detail
            FROM job WHERE id BETWEEN :low AND :high AND state = 'dead' AND last_error IS NULL""",
    ),
    # By uq_job_attempt_job_id_attempt for each job; a pruned one has no owner and no tries left.
    Check(
        name="job.was_ended_by_its_last_claim",
        invariant=8,
        subject="job",
        repair="See in the timeline whether its effects exist twice.",
        query="""
            SELECT id, order_id, format('claimed %s times; ended by %s', attempts,
                coalesce(ends, 'none')) AS detail
            FROM job, LATERAL (
                SELECT string_agg(attempt::text, ', ' ORDER BY attempt) AS ends FROM job_attempt
                WHERE job_id = job.id AND (outcome = 'done' OR outcome LIKE 'skipped: %')) AS tries
            WHERE id BETWEEN :low AND :high AND state = 'done' AND lease_owner IS NOT NULL
            AND ends IS DISTINCT FROM attempts::text""",
    ),
)
