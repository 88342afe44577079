"""Which parameters each endpoint takes; every other one is refused, as Stripe does."""

from sandbox.stripe.errors import ParameterError
from sandbox.stripe.forms import (
    Raw,
    Rule,
    boolean,
    hash_of,
    integer,
    list_of,
    metadata,
    moment,
    natural,
    one_of,
    text,
    url,
)

MOST_IN_A_PAGE = 100


def limit(param: str, raw: Raw) -> int:
    """Return a page size from 1 to 100."""
    value = integer(param, raw)
    if value > MOST_IN_A_PAGE:
        message = f"This value must be less than or equal to {MOST_IN_A_PAGE}."
        raise ParameterError(param, message, "parameter_invalid_integer")
    return value


ADDRESS = hash_of(
    city=text(), country=text(2), line1=text(), line2=text(), postal_code=text(), state=text()
)
EXPAND: dict[str, Rule] = {"expand": list_of(text())}
PAGE: dict[str, Rule] = EXPAND | {
    "created": moment,
    "ending_before": text(),
    "limit": limit,
    "starting_after": text(),
}
CARD = hash_of(number=text(24), exp_month=integer, exp_year=integer, cvc=text(4))
METHOD_DATA = hash_of(
    type=one_of("card", "klarna"),
    card=CARD,
    klarna=hash_of(),
    billing_details=hash_of(
        address=ADDRESS, email=text(), name=text(), phone=text(20), tax_id=text()
    ),
    allow_redisplay=one_of("always", "limited", "unspecified"),
    metadata=metadata,
)
METHOD_OPTIONS = hash_of(
    card=hash_of(request_three_d_secure=one_of("any", "automatic", "challenge")),
    klarna=hash_of(preferred_locale=text(5)),
)
CAPTURE_METHOD = one_of("automatic", "automatic_async", "manual")
PAYER: dict[str, Rule] = {
    "payment_method": text(),
    "payment_method_data": METHOD_DATA,
    "payment_method_options": METHOD_OPTIONS,
    "receipt_email": text(),
    "setup_future_usage": one_of("off_session", "on_session"),
    "shipping": hash_of(
        address=ADDRESS, name=text(), phone=text(), carrier=text(), tracking_number=text()
    ),
}
UPDATE: dict[str, Rule] = (
    EXPAND
    | PAYER
    | {
        "allowed_payment_method_types": list_of(text()),
        "amount": integer,
        "capture_method": CAPTURE_METHOD,
        "currency": text(),
        "description": text(1000),
        "excluded_payment_method_types": list_of(text()),
        "metadata": metadata,
        "statement_descriptor": text(22),
        "statement_descriptor_suffix": text(22),
        "transfer_group": text(),
    }
)
CONFIRM: dict[str, Rule] = (
    EXPAND
    | PAYER
    | {"capture_method": CAPTURE_METHOD, "return_url": url, "use_stripe_sdk": boolean}
)
# What Stripe.js sends besides, with a publishable key.
BROWSER: dict[str, Rule] = {
    "client_secret": text(),
    "expected_payment_method_type": text(),
    "key": text(),
}
CREATE: dict[str, Rule] = UPDATE | {
    "automatic_payment_methods": hash_of(
        enabled=boolean, allow_redirects=one_of("always", "never")
    ),
    "confirm": boolean,
    "return_url": url,
    "use_stripe_sdk": boolean,
}
CANCEL: dict[str, Rule] = EXPAND | {
    "cancellation_reason": one_of("abandoned", "duplicate", "fraudulent", "requested_by_customer")
}
CAPTURE: dict[str, Rule] = EXPAND | {"amount_to_capture": integer, "metadata": metadata}
SEARCH: dict[str, Rule] = EXPAND | {"limit": limit, "page": natural, "query": text()}
REFUND: dict[str, Rule] = EXPAND | {
    "amount": integer,
    "charge": text(),
    "metadata": metadata,
    "payment_intent": text(),
    "reason": one_of("duplicate", "fraudulent", "requested_by_customer"),
}
REFUND_UPDATE: dict[str, Rule] = EXPAND | {"metadata": metadata}
REFUNDS: dict[str, Rule] = PAGE | {"charge": text(), "payment_intent": text()}
CHARGES: dict[str, Rule] = PAGE | {"payment_intent": text()}
EVENTS: dict[str, Rule] = PAGE | {
    "delivery_success": boolean,
    "type": text(),
    "types": list_of(text()),
}
