"""Lists and searches: what a reconciliation reads."""

from typing import Any

import pytest
import stripe

from tests.sandbox.process import StripeProcess

EUR_49_90: Any = {"amount": 4990, "currency": "eur"}


def open_intent(client: stripe.StripeClient, **params: Any) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(EUR_49_90 | params)


def test_a_list_is_newest_first_and_paged_both_ways(client: stripe.StripeClient) -> None:
    ids = [open_intent(client).id for _ in range(5)]
    listed = client.v1.payment_intents.list

    first = listed({"limit": 2})
    assert [intent.id for intent in first.data] == [ids[4], ids[3]]
    assert first.has_more
    last = listed({"limit": 3, "starting_after": ids[3]})
    assert [intent.id for intent in last.data] == [ids[2], ids[1], ids[0]]
    assert not last.has_more
    back = listed({"limit": 2, "ending_before": ids[1]})
    assert [intent.id for intent in back.data] == [ids[3], ids[2]]
    assert [intent.id for intent in first.auto_paging_iter()] == ids[::-1]


def test_a_list_can_be_bounded_by_time(sandbox: StripeProcess, client: stripe.StripeClient) -> None:
    early = open_intent(client)
    sandbox.control("clock", {"advance_seconds": 3600})
    late = open_intent(client)

    def created(**bounds: int) -> list[str]:
        params: Any = {"created": bounds}
        return [intent.id for intent in client.v1.payment_intents.list(params).data]

    assert created(gte=late.created) == [late.id]
    assert created(lt=late.created) == [early.id]
    assert created(gt=early.created, lte=late.created) == [late.id]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("metadata['payment_id']:'7'", ["7"]),
        ("metadata['payment_id']:'7' AND metadata['app']:'orders'", ["7"]),
        ("metadata['payment_id']:'7' AND metadata['app']:'other'", []),
        ("metadata['payment_id']:'7' OR metadata['payment_id']:'8'", ["8", "7"]),
        ("status:'requires_payment_method' AND -metadata['payment_id']:'7'", ["8"]),
        ("amount>4990", []),
        ('currency:"eur" AND amount:4990', ["8", "7"]),
        ("metadata['gone']:null AND metadata['payment_id']:'8'", ["8"]),
    ],
)
def test_a_search_finds_by_metadata_and_state(
    client: stripe.StripeClient, query: str, found: list[str]
) -> None:
    for payment_id in ("7", "8"):
        open_intent(client, metadata={"payment_id": payment_id, "app": "orders"})

    data = client.v1.payment_intents.search({"query": query}).data

    assert [intent.metadata["payment_id"] for intent in data] == found


def test_a_search_may_not_know_the_newest_intents_yet(
    sandbox: StripeProcess, client: stripe.StripeClient
) -> None:
    sandbox.control("config", {"search_lag_seconds": 60})
    open_intent(client, metadata={"payment_id": "7"})
    query: Any = {"query": "metadata['payment_id']:'7'"}
    assert client.v1.payment_intents.search(query).data == []

    sandbox.control("clock", {"advance_seconds": 61})
    assert len(client.v1.payment_intents.search(query).data) == 1


def test_a_broken_query_is_refused(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="parse"):
        client.v1.payment_intents.search({"query": "payment_id=7"})


def test_habits_are_forgotten_on_order_and_the_webhook_endpoint_is_not(
    sandbox: StripeProcess,
) -> None:
    url = "http://127.0.0.1:9/"
    sandbox.control("config", {"search_lag_seconds": 60, "webhook_url": url})
    left = sandbox.control("config", method="DELETE")
    assert (left["search_lag_seconds"], left["webhook_url"]) == (0, url)
