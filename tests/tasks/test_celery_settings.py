"""What Celery is told, and what goes wrong if it is told otherwise."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

import settings
import tasks
from models.kinds import KINDS, QUEUES
from models.session import Rung
from tasks.doorbell import Doorbell, redis_client

_MEANINGS: list[tuple[str, object, str]] = [
    ("task_serializer", "json", "pickle in a message runs whatever a stranger wrote there"),
    ("accept_content", ["json"], "a worker that takes pickle can be taken over"),
    ("result_backend", None, "results in Redis are a second truth, and they leak"),
    ("task_ignore_result", True, "each job would write to Redis once more"),
    ("task_acks_late", False, "a task whose worker is slow runs twice"),
    ("task_reject_on_worker_lost", False, "a poison message comes back for ever"),
    ("worker_disable_prefetch", True, "a busy worker sits on the jobs of idle ones"),
    ("worker_prefetch_multiplier", 1, "the same, where prefetching cannot be disabled"),
    ("broker_connection_max_retries", None, "a worker gives up on a broker that is away for long"),
    ("broker_connection_retry_on_startup", True, "a worker that starts before its broker dies"),
    ("task_create_missing_queues", False, "a wrong route opens a queue that nobody works on"),
    ("task_default_exchange", "", "a wiped broker forgets the bindings and swallows messages"),
    ("worker_hijack_root_logger", False, "our log format and its scrubbing are thrown away"),
    ("worker_send_task_events", False, "each task is told to everyone through Redis"),
    ("worker_enable_remote_control", False, "whoever reaches Redis can stop the workers"),
]


@pytest.mark.parametrize(
    ("name", "value", "otherwise"), _MEANINGS, ids=[name for name, *_ in _MEANINGS]
)
def test_a_setting_keeps_trouble_away(name: str, value: object, otherwise: str) -> None:
    assert tasks.app.conf[name] == value, otherwise


def test_a_frozen_broker_is_noticed_by_its_worker() -> None:
    options = tasks.app.conf.broker_transport_options
    assert 0 < options["socket_connect_timeout"] <= 1
    assert 0 < options["socket_timeout"] <= 5
    assert options["socket_keepalive"]
    assert options["health_check_interval"]


def test_nobody_keeps_account_of_messages_that_are_rung_again_anyhow() -> None:
    """It would be two more round trips a message, and an `unacked` that outlives its worker."""
    assert tasks.app.conf.broker_transport_options["ack_emulation"] is False


def test_a_prefork_job_ends_before_another_worker_may_take_it() -> None:
    conf = tasks.app.conf
    assert conf.task_soft_time_limit < conf.task_time_limit < settings.current().job_lease_seconds


def test_shops_can_share_a_broker_without_hearing_each_others_bells() -> None:
    prefix = tasks.app.conf.broker_transport_options["global_keyprefix"]
    assert settings.current().instance in prefix


def test_each_kind_of_job_goes_to_the_queue_of_its_prefix_and_each_queue_exists() -> None:
    conf = tasks.app.conf
    for name, kind in KINDS.items():
        assert tasks.app.amqp.router.route({}, name)["queue"].name == kind.queue
    assert {queue.name for queue in conf.task_queues} == set(QUEUES.values())
    assert conf.task_default_queue in QUEUES.values()


def test_each_kind_of_job_is_a_task_by_the_same_name() -> None:
    ours = {name for name in tasks.app.tasks if not name.startswith("celery.")}
    assert ours == KINDS.keys()


@pytest.fixture
def broker() -> Iterator[Redis]:
    """The real broker, wiped: no queue, no exchange, no binding is there."""
    with redis_client(timeout=10) as redis:
        redis.flushall()
        yield redis
        redis.flushall()


def messages(broker: Redis, queue: str) -> list[dict[str, Any]]:
    found = broker.lrange(f"{settings.current().redis_prefix}{queue}", 0, -1)
    return [json.loads(each) for each in found]


def test_a_message_carries_the_kind_and_the_id_of_its_job_and_nothing_else(broker: Redis) -> None:
    Doorbell(tasks.app)([Rung(4711, "notifications.send")], [])

    (message,) = messages(broker, "mail")
    arguments, keywords, embedded = json.loads(base64.b64decode(message["body"]))
    assert (arguments, keywords) == ([4711], {})
    assert not any(embedded.values())
    assert message["headers"]["task"] == "notifications.send"
    assert message["headers"]["eta"] is None
    assert message["headers"]["expires"] is None


def test_a_ring_reaches_the_queue_of_a_wiped_broker_and_declares_nothing(broker: Redis) -> None:
    bell = Doorbell(tasks.app)
    for name in KINDS:
        broker.flushall()
        bell([Rung(1, name)], [])
        queue = QUEUES[name.partition(".")[0]]
        (message,) = messages(broker, queue)
        assert message["properties"]["delivery_info"] == {"exchange": "", "routing_key": queue}
        assert broker.keys() == [f"{settings.current().redis_prefix}{queue}".encode()]
