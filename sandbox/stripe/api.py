"""The API under /v1/: authentication, parameters, idempotency and faults around every verb."""

import json
import secrets
from collections.abc import Callable

from flask import Blueprint, Response, make_response, request

from sandbox.provider.exchange import CUT, Answer, FaultyExchange, cut_the_line
from sandbox.stripe import idempotency, views
from sandbox.stripe.call import API_VERSION, Call, random_id
from sandbox.stripe.endpoints import ENDPOINTS, Endpoint
from sandbox.stripe.errors import CardError, Document, StripeError, on_order
from sandbox.stripe.forms import decode, read
from sandbox.stripe.parameters import BROWSER
from sandbox.stripe.state import Sandbox

RETRY_AFTER_SECONDS = 1
SERVER_ERRORS = 500


def create_blueprint(sandbox: Sandbox) -> Blueprint:
    """Return the routes of the API."""
    blueprint = Blueprint("api", __name__)
    for endpoint in ENDPOINTS:
        view = _view(sandbox, endpoint)
        blueprint.add_url_rule(
            endpoint.path, endpoint.name.replace(".", "_"), view, methods=[endpoint.method]
        )
    blueprint.add_url_rule("/v1/<path:_>", "unknown", _unknown_url, methods=["GET", "POST"])
    blueprint.after_request(_allow_browsers)
    return blueprint


def _unknown_url(_: str) -> Response:
    path = f"{request.method}: {request.path}"
    error = StripeError(f"Unrecognized request URL ({path}).", status=404)
    return _response(404, error.body())


def _allow_browsers(response: Response) -> Response:
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Allow-Headers"] = (
        "Authorization, Content-Type, Idempotency-Key, Stripe-Version"
    )
    return response


def _view(sandbox: Sandbox, endpoint: Endpoint) -> Callable[..., Response]:
    def view(object_id: str = "") -> Response:
        exchange = Exchange(sandbox, endpoint, object_id)
        try:
            status, body = exchange.answer()
        except StripeError as error:
            status, body = error.status, error.body()
        return exchange.respond(status, body)

    return view


class Exchange(FaultyExchange):
    """One request from its arrival to its answer."""

    def __init__(self, sandbox: Sandbox, endpoint: Endpoint, object_id: str) -> None:
        super().__init__(sandbox, endpoint.name)
        self.sandbox, self.endpoint, self.object_id = sandbox, endpoint, object_id
        self.pairs = list(
            (request.form if request.method == "POST" else request.args).items(multi=True)
        )
        self.key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        self.request_id = random_id("req_")
        self.replayed = False

    def answer(self) -> Answer:
        """Refuse what is wrong before it runs; then run it under its key, its faults around it."""
        message = "Request rate limit exceeded. Learn more: https://docs.stripe.com/rate-limits"
        too_many = StripeError(message, status=429, code="rate_limit")
        self.refuse_too_many(too_many, RETRY_AFTER_SECONDS)
        browser = self._authenticate()
        self._check_version()
        tree = decode(self.pairs)
        accepts = {**self.endpoint.accepts, **(BROWSER if browser else {})}
        params = read(accepts, tree)
        if self.key is not None:
            idempotency.check_length(self.key)
        with self.sandbox.keys_in_use.claim(self.key):
            status, body = self.run_with_faults(lambda: self._run_once(params), on_order)
        return status, (_for_browser(body) if browser else body)

    def _authenticate(self) -> bool:
        key = _bearer() or dict(self.pairs).get("key", "")
        if secrets.compare_digest(key.encode(), self.sandbox.secret_key.encode()):
            return False
        if not secrets.compare_digest(key.encode(), self.sandbox.publishable_key.encode()):
            raise _unauthorized(key)
        if not self.endpoint.for_browsers:
            raise StripeError(
                "This API call cannot be made with a publishable API key. Please use a secret key.",
                status=403,
                code="secret_key_required",
            )
        self._check_client_secret()
        return True

    def _check_client_secret(self) -> None:
        with self.sandbox.store.transaction():
            intent = self.sandbox.store.get("payment_intent", self.object_id, "intent")
        given = dict(self.pairs).get("client_secret", "")
        if not secrets.compare_digest(given.encode(), intent["client_secret"].encode()):
            raise StripeError(
                "The client_secret provided does not match any associated PaymentIntent.",
                code="payment_intent_invalid_parameter",
                param="client_secret",
            )

    def _check_version(self) -> None:
        version = request.headers.get("Stripe-Version", API_VERSION)
        if version != API_VERSION:
            message = f"Invalid Stripe API version: {version}; the sandbox speaks {API_VERSION}."
            raise StripeError(message)

    def _run_once(self, params: Document) -> Answer:
        """The first answer of this key, or a new one that is saved along with its effect."""
        store = self.sandbox.store
        with self.sandbox.call(self.request_id, self.key) as call:
            if self.key is None:
                return self._run(call, params)
            saved = idempotency.saved(store, self.key, self._fingerprint(), call.now)
            if saved is not None:
                self.replayed = True
                return saved
            answer = self._run(call, params)
            kept = self._kept(answer)
            idempotency.save(store, self.key, self._fingerprint(), call.now, kept)
            return answer

    def _run(self, call: Call, params: Document) -> Answer:
        try:
            with call.store.undone_by(StripeError, but=CardError):
                body = self.endpoint.run(call, self.object_id, params)
                return 200, views.expand(call, body, params.get("expand", []))
        except StripeError as error:
            return error.status, error.body()

    def _kept(self, answer: Answer) -> Answer:
        """Stripe repeats a 500 that came after the effect; other failures never reached the key."""
        fault = self.fault
        if fault and fault.fault == "fail_after" and fault.status >= SERVER_ERRORS:
            return fault.status, on_order(fault).body()
        return answer

    def _fingerprint(self) -> str:
        return json.dumps([request.path, sorted(self.pairs)])

    def respond(self, status: int, body: Document) -> Response:
        """Write the answer down for the tests and return it, or cut the line."""
        self.remember(
            status,
            id=self.request_id,
            idempotency_key=self.key,
            replayed=self.replayed,
            params=[[name, _masked(name, value)] for name, value in self.pairs],
        )
        if (status, body) == CUT:
            cut_the_line()
        response = _response(status, body)
        response.headers["Request-Id"] = self.request_id
        if self.key is not None:
            response.headers["Idempotency-Key"] = self.key
        if self.replayed:
            response.headers["Idempotent-Replayed"] = "true"
        return self.finish(response)


def _bearer() -> str:
    authorization = request.authorization
    if authorization is None:
        return ""
    return authorization.token or authorization.username or ""


def _unauthorized(key: str) -> StripeError:
    if not key:
        message = "You did not provide an API key. You need to provide it as a Bearer token."
        return StripeError(message, status=401)
    return StripeError(f"Invalid API Key provided: {key[:7]}***", status=401)


def _for_browser(body: Document) -> Document:
    if body.get("object") == "payment_intent":
        return views.for_browser(body)
    if "payment_intent" in body.get("error", {}):
        shown = views.for_browser(body["error"]["payment_intent"])
        return {"error": body["error"] | {"payment_intent": shown}}
    return body


def _masked(name: str, value: str) -> str:
    return f"…{value[-4:]}" if name.endswith("[number]") else value


def _response(status: int, body: Document) -> Response:
    response = make_response(json.dumps(body, indent=2, ensure_ascii=False), status or 500)
    response.headers["Content-Type"] = "application/json"
    response.headers["Cache-Control"] = "no-cache, no-store"
    response.headers["Stripe-Version"] = API_VERSION
    return response
