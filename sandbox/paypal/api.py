"""The API: authentication, repetitions and faults around every verb."""

import json
import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, make_response, request

from sandbox.paypal import repetition, tokens
from sandbox.paypal.call import Call
from sandbox.paypal.endpoints import ENDPOINTS, Endpoint
from sandbox.paypal.errors import InstrumentDeclinedError, PayPalError, invalid, on_order
from sandbox.paypal.state import Sandbox
from sandbox.provider.exchange import CUT, Answer, FaultyExchange, cut_the_line
from sandbox.provider.refusal import Document

RETRY_AFTER_SECONDS = 1
WHOLE = "return=representation"
VERIFY, CERTIFICATES = "webhooks.verify", "certs.get"


def create_blueprint(sandbox: Sandbox) -> Blueprint:
    """Return the routes of the API."""
    blueprint = Blueprint("api", __name__)
    for endpoint in ENDPOINTS:
        name = endpoint.name.replace(".", "_")
        view = _view(sandbox, endpoint)
        blueprint.add_url_rule(endpoint.path, name, view, methods=[endpoint.method])
    for path, own in (
        ("/v1/oauth2/token", TokenExchange),
        ("/v1/notifications/verify-webhook-signature", VerifyExchange),
    ):
        view = _own_view(sandbox, own)
        blueprint.add_url_rule(path, own.endpoint.replace(".", "_"), view, methods=["POST"])

    @blueprint.get("/v1/notifications/certs/<name>")
    def certificate(name: str) -> Response:
        if fault := sandbox.faults.meet(CERTIFICATES):
            return _response(fault.status, on_order(fault).body())
        if name != sandbox.signer.name:
            return _response(404, PayPalError(404).body())
        return Response(sandbox.signer.pem, content_type="application/x-pem-file")

    return blueprint


def _view(sandbox: Sandbox, endpoint: Endpoint) -> Callable[..., Response]:
    return lambda object_id="": Exchange(sandbox, endpoint, object_id).respond()


def _own_view(
    sandbox: Sandbox, exchange: "type[TokenExchange | VerifyExchange]"
) -> Callable[..., Response]:
    return lambda: exchange(sandbox).respond()


class BaseExchange(FaultyExchange):
    """One request from its arrival to its answer."""

    def __init__(self, sandbox: Sandbox, name: str) -> None:
        super().__init__(sandbox, name)
        self.sandbox = sandbox
        self.request_id = request.headers.get("PayPal-Request-Id")
        self.repeated = False

    def run(self) -> Answer:
        """The status and the body."""
        raise NotImplementedError

    def respond(self) -> Response:
        """Answer, write it down for the tests, or cut the line."""
        try:
            self.refuse_too_many(PayPalError(429), RETRY_AFTER_SECONDS)
            status, body = self.run()
        except PayPalError as error:
            status, body = error.status, error.body()
        self.remember(
            status,
            request_id=self.request_id,
            repeated=self.repeated,
            body=request.get_json(silent=True),
        )
        if (status, body) == CUT:
            cut_the_line()
        return self.finish(_response(status, body))

    def authenticate(self) -> None:
        """Raise unless a good token came with the request."""
        authorization = request.authorization
        token = (authorization.token if authorization else None) or ""
        with self.sandbox.call() as call:
            if not tokens.is_good(call, token):
                raise PayPalError(401)


class Exchange(BaseExchange):
    """A request of one of the endpoints."""

    def __init__(self, sandbox: Sandbox, endpoint: Endpoint, object_id: str) -> None:
        super().__init__(sandbox, endpoint.name)
        self.endpoint, self.object_id = endpoint, object_id

    def run(self) -> Answer:
        self.authenticate()
        sent = _sent()
        if self.request_id is not None:
            repetition.check_length(self.request_id)
        elif isinstance(sent, dict) and "payment_source" in sent:
            raise invalid("PAYPAL_REQUEST_ID_REQUIRED", "A PayPal-Request-Id is required.")
        with self.sandbox.keys_in_use.claim(self._key()):
            return self.run_with_faults(lambda: self._run_once(sent), on_order)

    def _key(self) -> str | None:
        """The id of a request is one within its kind of call."""
        has_window = self.request_id is not None and self.endpoint.kept_seconds
        return f"{self.endpoint.name}:{self.request_id}" if has_window else None

    def _run_once(self, sent: Any) -> Answer:
        key = self._key()
        with self.sandbox.call() as call:
            if key is None:
                return self._run(call, sent)
            known = repetition.first(call, key, self.endpoint.kind, self.endpoint.kept_seconds)
            if known is not None:
                self.repeated = True
                return HTTPStatus.OK, self._shown(call, known)
            return self._run(call, sent)

    def _run(self, call: Call, sent: Any) -> Answer:
        try:
            with call.store.undone_by(PayPalError, but=InstrumentDeclinedError):
                document = self.endpoint.run(call, self.object_id, sent)
                if key := self._key():
                    repetition.remember(call, key, document)
                return self.endpoint.status, self._shown(call, document)
        except PayPalError as error:
            return error.status, error.body()

    def _shown(self, call: Call, document: Document) -> Document:
        is_whole = WHOLE in request.headers.get("Prefer", "")
        view = self.endpoint.view if is_whole else self.endpoint.minimal or self.endpoint.view
        return view(call, document)


class TokenExchange(BaseExchange):
    """A request for a token, with the client's id and secret."""

    endpoint = "oauth.token"

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox, self.endpoint)

    def run(self) -> Answer:
        given = request.authorization
        pair = f"{given.username}:{given.password}" if given and given.username else ""
        expected = f"{self.sandbox.client_id}:{self.sandbox.client_secret}"
        if not secrets.compare_digest(pair.encode(), expected.encode()):
            error = {"error": "invalid_client", "error_description": "Client Authentication failed"}
            return HTTPStatus.UNAUTHORIZED, error
        if request.form.get("grant_type") != "client_credentials":
            return HTTPStatus.BAD_REQUEST, {"error": "unsupported_grant_type"}
        return self.run_with_faults(self._give, on_order)

    def _give(self) -> Answer:
        with self.sandbox.call() as call:
            return HTTPStatus.OK, tokens.give(call)


class VerifyExchange(BaseExchange):
    """A question whether the words of a delivery's headers are ours."""

    endpoint = VERIFY

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox, self.endpoint)

    def run(self) -> Answer:
        self.authenticate()
        return self.run_with_faults(self._judge, on_order)

    def _judge(self) -> Answer:
        sent = _sent()
        event = json.dumps(sent.get("webhook_event"), indent=2, ensure_ascii=False).encode()
        is_ours = self.sandbox.signer.has_signed(
            sent.get("transmission_sig", ""),
            sent.get("transmission_id", ""),
            sent.get("transmission_time", ""),
            sent.get("webhook_id", ""),
            event,
        )
        return HTTPStatus.OK, {"verification_status": "SUCCESS" if is_ours else "FAILURE"}


def _sent() -> Any:
    """The query of a GET, or the JSON of what has a body; an empty body is an empty object."""
    if request.method == "GET":
        return request.args.to_dict()
    if not request.get_data():
        return {}
    sent = request.get_json(silent=True)
    if sent is None:
        raise invalid("MALFORMED_REQUEST_JSON", "The request JSON is not well formed.")
    return sent


def _response(status: int, body: Document) -> Response:
    text = "" if status == HTTPStatus.NO_CONTENT else json.dumps(body, ensure_ascii=False)
    response = make_response(text, status or 500)
    response.headers["Content-Type"] = "application/json"
    response.headers["Cache-Control"] = "max-age=0, no-cache, no-store, must-revalidate"
    response.headers["Paypal-Debug-Id"] = str(body.get("debug_id") or secrets.token_hex(7)[:13])
    return response
