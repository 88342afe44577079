"""Deliveries: whom we believe, and what is no event."""

import json
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import settings
from providers.base import InvalidSignature, MalformedEvent, OutcomeUnknown, ProviderEvent
from providers.paypal import PayPal
from providers.paypal_signature import Verifier
from tests.providers.paypal_examples import CAPTURE, Forger, body_of, event
from tests.sandbox.paypal_api import PayPalApi
from tests.sandbox.process import PayPalProcess, WebhookEndpoint

WEBHOOK = "1WEBHOOK"
BODY = body_of(event("PAYMENT.CAPTURE.COMPLETED", CAPTURE))
DAY = timedelta(days=1)


def parse(body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
    return PayPal(settings.current()).parse_webhook(body, headers)


class CertificateHost:
    """A host that hands out what a test puts at `/v1/notifications/certs/<name>`."""

    def __init__(self) -> None:
        self.pems: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.status = 200
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                host.asked.append(name)
                pem = host.pems.get(name, b"")
                self.send_response(host.status if pem else 404)
                self.send_header("Content-Length", str(len(pem)))
                self.end_headers()
                self.wfile.write(pem)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def url_of(self, name: str) -> str:
        return f"{self.url}/v1/notifications/certs/{name}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def host() -> Iterator[CertificateHost]:
    made = CertificateHost()
    yield made
    made.stop()


@pytest.fixture
def signer(host: CertificateHost) -> Forger:
    """Whose certificate is at the host that is asked."""
    made = Forger()
    host.pems["CERT-1"] = made.pem
    return made


def test_a_delivery_is_believed_under_each_of_our_webhooks(
    host: CertificateHost, signer: Forger
) -> None:
    verifier = Verifier(host.url, (WEBHOOK, "2WEBHOOK"))
    for webhook_id in (WEBHOOK, "2WEBHOOK"):
        verifier.verify(BODY, signer.headers(BODY, host.url_of("CERT-1"), webhook_id))
    assert host.asked == ["CERT-1"]  # and kept


@pytest.mark.parametrize(
    ("body", "webhook_id", "age"),
    [
        (BODY + b" ", WEBHOOK, 0 * DAY),
        (BODY, "9OTHERS", 0 * DAY),
        (BODY, WEBHOOK, 5 * DAY),
        (BODY, WEBHOOK, -DAY),
    ],
    ids=["other body", "other webhook", "stale", "future"],
)
def test_a_delivery_that_is_not_for_us_or_not_of_now_is_refused(
    host: CertificateHost, signer: Forger, body: bytes, webhook_id: str, age: timedelta
) -> None:
    headers = signer.headers(BODY, host.url_of("CERT-1"), webhook_id, age)
    with pytest.raises(InvalidSignature):
        Verifier(host.url, (WEBHOOK,)).verify(body, headers)


def test_a_retry_of_days_ago_is_still_believed(host: CertificateHost, signer: Forger) -> None:
    headers = signer.headers(BODY, host.url_of("CERT-1"), WEBHOOK, 3 * DAY)
    Verifier(host.url, (WEBHOOK,)).verify(BODY, headers)


@pytest.mark.parametrize("header", ["ALGO", "URL", "ID", "SIG", "TIME"])
@pytest.mark.parametrize("value", [None, "", "x", "SHA1withRSA", "2026-11-22T12:00:00"])
def test_a_header_that_is_missing_or_odd_is_refused(
    host: CertificateHost, signer: Forger, header: str, value: str | None
) -> None:
    headers = signer.headers(BODY, host.url_of("CERT-1"), WEBHOOK)
    (name,) = (each for each in headers if each.endswith(f"-{header}"))
    del headers[name]
    if value is not None:
        headers[name] = value
    with pytest.raises(InvalidSignature):
        Verifier(host.url, (WEBHOOK,)).verify(BODY, headers)


def test_without_a_webhook_of_ours_nothing_is_believed(
    host: CertificateHost, signer: Forger
) -> None:
    headers = signer.headers(BODY, host.url_of("CERT-1"), "")
    with pytest.raises(InvalidSignature):
        Verifier(host.url, ()).verify(BODY, headers)


def test_a_certificate_of_another_host_is_not_even_asked_for(host: CertificateHost) -> None:
    forger = Forger()
    host.pems["CERT-1"] = forger.pem
    verifier = Verifier("https://api-m.paypal.com", (WEBHOOK,))
    with pytest.raises(InvalidSignature):
        verifier.verify(BODY, forger.headers(BODY, host.url_of("CERT-1"), WEBHOOK))
    assert host.asked == []


@pytest.mark.parametrize(
    ("base", "url", "is_theirs"),
    [
        ("https://api-m.paypal.com", "https://api.paypal.com{}", True),
        ("https://api-m.paypal.com", "https://api-m.paypal.com{}", True),
        ("https://api-m.paypal.com", "http://api.paypal.com{}", False),
        ("https://api-m.paypal.com", "https://api.sandbox.paypal.com{}", False),
        ("https://api-m.paypal.com", "https://paypal.com.evil.example{}", False),
        ("https://api-m.paypal.com", "https://evilpaypal.com{}", False),
        ("https://api-m.paypal.com", "https://evil.example/api.paypal.com{}", False),
        ("https://api-m.paypal.com", "https://api.paypal.com@evil.example{}", False),
        ("https://api-m.paypal.com", "https://evil.example\\@api.paypal.com{}", False),
        ("https://api-m.paypal.com", "https://evil.example#.paypal.com{}", False),
        ("https://api-m.paypal.com", "https://api.paypal.com:8443{}", False),
        ("https://api-m.paypal.com", "https://api.paypal.com/redirect?to={}", False),
        ("https://api-m.paypal.com", "https://api.paypal.com{}/../../x", False),
        ("https://api-m.paypal.com", "https://api.paypal.com{}\n", False),
        ("https://api-m.sandbox.paypal.com", "https://api.sandbox.paypal.com{}", True),
        ("https://api-m.sandbox.paypal.com", "https://api.paypal.com{}", False),
        ("http://127.0.0.1:9", "http://127.0.0.1:9{}", True),
        ("http://127.0.0.1:9", "http://127.0.0.1:99{}", False),
        ("http://127.0.0.1:9", "https://api.paypal.com{}", False),
    ],
)
def test_certificates_are_taken_from_paypal_in_our_mode_only(
    base: str, url: str, is_theirs: bool
) -> None:
    found = Verifier(base, ()).takes_from(url.format("/v1/notifications/certs/CERT-1"))
    assert found == is_theirs


@pytest.mark.parametrize(
    "forger",
    [
        Forger("www.evil.example"),
        Forger("evilpaypal.com"),
        Forger(lasts=timedelta(days=1)),
    ],
    ids=["other name", "similar name", "expired"],
)
def test_a_certificate_that_is_somebody_elses_or_too_old_is_refused(
    host: CertificateHost, forger: Forger
) -> None:
    host.pems["CERT-2"] = forger.pem
    headers = forger.headers(BODY, host.url_of("CERT-2"), WEBHOOK)
    with pytest.raises(InvalidSignature):
        Verifier(host.url, (WEBHOOK,)).verify(BODY, headers)


@pytest.mark.parametrize("pem", [b"", b"no certificate", Forger().pem[:200], b"x" * 70_000])
def test_what_is_no_certificate_is_refused(
    host: CertificateHost, signer: Forger, pem: bytes
) -> None:
    host.pems["CERT-2"] = pem
    headers = signer.headers(BODY, host.url_of("CERT-2"), WEBHOOK)
    with pytest.raises(InvalidSignature):
        Verifier(host.url, (WEBHOOK,)).verify(BODY, headers)


def test_a_chain_in_which_nobody_vouches_for_the_signer_is_refused(
    host: CertificateHost, signer: Forger
) -> None:
    host.pems["CERT-2"] = signer.pem + Forger("authority.paypal.com").pem
    headers = signer.headers(BODY, host.url_of("CERT-2"), WEBHOOK)
    with pytest.raises(InvalidSignature):
        Verifier(host.url, (WEBHOOK,)).verify(BODY, headers)


def test_a_certificate_that_cannot_be_had_now_leaves_it_open(
    host: CertificateHost, signer: Forger
) -> None:
    headers = signer.headers(BODY, host.url_of("CERT-1"), WEBHOOK)
    verifier = Verifier(host.url, (WEBHOOK,))
    host.status = 503
    with pytest.raises(OutcomeUnknown):
        verifier.verify(BODY, headers)
    host.status = 200
    verifier.verify(BODY, headers)

    nobody = Verifier("http://127.0.0.1:1", (WEBHOOK,))
    url = "http://127.0.0.1:1/v1/notifications/certs/CERT-1"
    with pytest.raises(OutcomeUnknown):
        nobody.verify(BODY, signer.headers(BODY, url, WEBHOOK))


def test_so_many_certificates_are_kept_and_no_more(host: CertificateHost, signer: Forger) -> None:
    verifier = Verifier(host.url, (WEBHOOK,))
    for number in (*range(17), 16, 0):
        host.pems[f"CERT-{number}"] = signer.pem
        verifier.verify(BODY, signer.headers(BODY, host.url_of(f"CERT-{number}"), WEBHOOK))
    assert host.asked.count("CERT-16") == 1
    assert host.asked.count("CERT-0") == 2


def test_what_the_sandbox_delivers_is_believed_and_read(paypal_sandbox: PayPalProcess) -> None:
    with WebhookEndpoint() as endpoint, PayPalApi(paypal_sandbox) as api:
        paypal_sandbox.control("config", {"webhook_url": endpoint.url})
        order_id = api.approved()
        endpoint.wait_for(lambda: len(endpoint.received) == 1)
        paypal_sandbox.control("config", {"webhook_url": None})
    (body, _), headers = endpoint.received[0], endpoint.headers[0]

    told = parse(body, headers)

    assert (told.type, told.provider_payment_id) == ("CHECKOUT.ORDER.APPROVED", order_id)
    assert told.payment is not None
    assert told.payment.state == "authorised"
    with pytest.raises(InvalidSignature):
        parse(body.replace(b"49.90", b"00.10"), headers)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{}", b'{"id": "WH-1"}', b"not json"])
def test_a_signed_body_that_is_no_event_is_malformed(
    host: CertificateHost, signer: Forger, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = PayPal(settings.current())
    monkeypatch.setattr(adapter, "_verifier", Verifier(host.url, (WEBHOOK,)))
    with pytest.raises(MalformedEvent):
        adapter.parse_webhook(body, signer.headers(body, host.url_of("CERT-1"), WEBHOOK))


def test_a_body_is_read_as_it_was_signed(host: CertificateHost, signer: Forger) -> None:
    again = json.dumps(json.loads(BODY), indent=2).encode()
    headers = signer.headers(BODY, host.url_of("CERT-1"), WEBHOOK)
    with pytest.raises(InvalidSignature):
        Verifier(host.url, (WEBHOOK,)).verify(again, headers)
