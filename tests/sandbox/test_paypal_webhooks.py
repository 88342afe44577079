"""Events and their deliveries: signed by a certificate, listed, sent again until a 2xx."""

import base64
import json
import zlib
from collections.abc import Iterator, Mapping

import pytest
import requests
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.paypal_spec import needs_spec, validate_event
from tests.sandbox.paypal_api import PayPalApi
from tests.sandbox.process import PayPalProcess, WebhookEndpoint


@pytest.fixture
def hooked(paypal: PayPalProcess) -> Iterator[WebhookEndpoint]:
    with WebhookEndpoint() as webhooks:
        paypal.control("config", {"webhook_url": webhooks.url})
        yield webhooks


def verify(body: bytes, headers: Mapping[str, str], webhook_id: str) -> None:
    pem = requests.get(headers["PAYPAL-CERT-URL"], timeout=30).content
    leaf, authority = x509.load_pem_x509_certificates(pem)
    leaf.verify_directly_issued_by(authority)
    sent = headers["PAYPAL-TRANSMISSION-ID"], headers["PAYPAL-TRANSMISSION-TIME"]
    key = leaf.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(
        base64.b64decode(headers["PAYPAL-TRANSMISSION-SIG"]),
        "|".join([*sent, webhook_id, str(zlib.crc32(body))]).encode(),
        padding.PKCS1v15(),
        hashes.SHA256(),
    )


def test_a_delivery_is_signed_by_the_certificate_that_it_names(
    paypal: PayPalProcess, api: PayPalApi, hooked: WebhookEndpoint
) -> None:
    api.approved()
    hooked.wait_for(lambda: len(hooked.received) == 1)
    (body, _), headers = hooked.received[0], hooked.headers[0]

    verify(body, headers, paypal.webhook_id)
    for wrong in ((body + b" ", paypal.webhook_id), (body, "0OTHERWEBHOOK0000")):
        with pytest.raises(InvalidSignature):
            verify(wrong[0], headers, wrong[1])
    assert json.loads(body) == api.events()[0]


@pytest.mark.parametrize(("changed", "verdict"), [(False, "SUCCESS"), (True, "FAILURE")])
def test_it_says_itself_whether_a_delivery_is_its_own(
    paypal: PayPalProcess, api: PayPalApi, hooked: WebhookEndpoint, changed: bool, verdict: str
) -> None:
    api.approved()
    hooked.wait_for(lambda: len(hooked.received) == 1)
    headers, event = hooked.headers[0], json.loads(hooked.received[0][0])
    words = {
        name.lower().replace("-", "_"): headers[f"PAYPAL-{name}"]
        for name in ("TRANSMISSION-ID", "TRANSMISSION-TIME", "TRANSMISSION-SIG", "CERT-URL")
    }
    asked = words | {
        "auth_algo": headers["PAYPAL-AUTH-ALGO"],
        "webhook_id": paypal.webhook_id,
        "webhook_event": event | ({"summary": "changed"} if changed else {}),
    }
    answer = api.call("POST", "/v1/notifications/verify-webhook-signature", asked)
    assert answer.json() == {"verification_status": verdict}


def test_what_is_not_taken_is_sent_again(api: PayPalApi, hooked: WebhookEndpoint) -> None:
    hooked.statuses = [500, 503]
    api.approved()
    hooked.wait_for(lambda: len(hooked.received) == 3)
    assert len({body for body, _ in hooked.received}) == 1


def test_events_are_listed_newest_first_by_type_and_time_in_pages(
    paypal: PayPalProcess, api: PayPalApi
) -> None:
    for number in range(3):
        api.captured(invoice_id=str(number))
        paypal.control("clock", {"advance_seconds": 3600})
    kind = "PAYMENT.CAPTURE.COMPLETED"
    listed = api.events(event_type=kind)
    assert [each["resource"]["invoice_id"] for each in listed] == ["2", "1", "0"]
    bounds = {"start_time": listed[1]["create_time"], "end_time": listed[0]["create_time"]}
    assert api.events(event_type=kind, **bounds) == listed[:2]

    query = f"page_size=2&event_type={kind}"
    page = api.call("GET", f"/v1/notifications/webhooks-events?{query}").json()
    (following,) = [each["href"] for each in page["links"] if each["rel"] == "next"]
    answer = requests.get(
        following, headers={"Authorization": f"Bearer {paypal.token()}"}, timeout=30
    )
    assert [*page["events"], *answer.json()["events"]] == listed


def test_an_event_can_be_sent_again(
    paypal: PayPalProcess, api: PayPalApi, hooked: WebhookEndpoint
) -> None:
    paypal.control("deliveries", {"mode": "drop"})
    api.approved()
    paypal.control("deliveries", {"mode": "normal"})
    (event,) = api.events()
    path = f"/v1/notifications/webhooks-events/{event['id']}"
    assert api.call("GET", path).json() == event
    requests.post(
        f"{paypal.url}{path}/resend",
        headers={"Authorization": f"Bearer {paypal.token()}"},
        timeout=30,
    ).raise_for_status()
    hooked.wait_for(lambda: len(hooked.received) == 1)


@needs_spec
def test_every_event_is_worded_as_paypals_documents_have_it(
    paypal: PayPalProcess, api: PayPalApi
) -> None:
    slow = api.captured("pays_slowly", invoice_id="1")
    paypal.control(f"captures/{slow}/complete")
    denied = api.captured("is_denied", invoice_id="2")
    paypal.control(f"captures/{denied}/deny")
    capture_id = api.captured("is_refunded_slowly")
    refunds = [api.refund(capture_id, "1.00").json()["id"] for _ in range(2)]
    paypal.control(f"refunds/{refunds[0]}/complete")
    paypal.control(f"refunds/{refunds[1]}/fail")
    dispute = paypal.control(f"captures/{slow}/dispute")
    paypal.control(f"disputes/{dispute['id']}/lose")

    told = api.events()

    for event in told:
        validate_event(event)
    assert {each["event_type"] for each in told} == {
        "CHECKOUT.ORDER.APPROVED",
        "CHECKOUT.ORDER.COMPLETED",
        "PAYMENT.CAPTURE.COMPLETED",
        "PAYMENT.CAPTURE.PENDING",
        "PAYMENT.CAPTURE.DENIED",
        "PAYMENT.CAPTURE.REFUNDED",
        "PAYMENT.CAPTURE.REVERSED",
        "PAYMENT.REFUND.PENDING",
        "PAYMENT.REFUND.FAILED",
        "CUSTOMER.DISPUTE.CREATED",
        "CUSTOMER.DISPUTE.RESOLVED",
    }


def test_it_signs_an_event_that_was_made_by_hand(paypal: PayPalProcess) -> None:
    url = f"{paypal.url}/_control/signatures"
    headers = requests.post(url, data=b"made by hand", timeout=10).json()
    verify(b"made by hand", headers, paypal.webhook_id)
