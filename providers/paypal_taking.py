"""How money moves at PayPal once a buyer has approved: taken at once, or reserved first."""

from collections.abc import Callable
from dataclasses import replace

from models.intents import Failure, PaymentSnapshot
from providers import paypal_objects
from providers.base import OutcomeUnknown
from providers.paypal_http import Client, Refused
from providers.paypal_objects import Words

_AUTHORISATIONS = "/v2/payments/authorizations"
_DECLINED = ("INSTRUMENT_DECLINED", "PAYER_CANNOT_PAY", "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING")
_LET_GO = ("PREVIOUSLY_VOIDED", "PREVIOUSLY_CAPTURED")


class Taking:
    """Each step looks at the order first, and again if what came of the step is not known."""

    def __init__(self, api: Client, read: Callable[[Words], PaymentSnapshot]) -> None:
        self._api, self._read = api, read

    def captured(self, path: str) -> PaymentSnapshot:
        """The whole money of what is approved or reserved, taken once."""
        return self._taken(path, self._capture)

    def reserved(self, path: str) -> PaymentSnapshot:
        """The whole money of what is approved, reserved once."""
        return self._taken(path, self._reserve)

    def released(self, path: str) -> PaymentSnapshot:
        """What is left when nothing is reserved any more, or all was taken before."""
        for each in paypal_objects.authorisations_of(self._api.call("GET", path)):
            try:
                self._api.call("POST", f"{_AUTHORISATIONS}/{each['id']}/void")
            except Refused as error:
                if error.issue not in _LET_GO:
                    raise
        return self._read(self._api.call("GET", path))

    def _taken(self, path: str, step: Callable[[Words], Words]) -> PaymentSnapshot:
        order = self._api.call("GET", path)
        seen = self._read(order)
        if seen.state != "authorised":
            return seen
        try:
            return self._read(step(order))
        except (Refused, OutcomeUnknown) as error:
            order = self._api.call("GET", path)
            after, is_reserved = self._read(order), bool(paypal_objects.authorisations_of(order))
            if isinstance(error, Refused) and error.issue in _DECLINED and not is_reserved:
                return replace(
                    after,
                    state="open",
                    failure=_failure(error),
                    capture_before=None,
                    is_agreed_only=False,
                )
            if (after.state, after.is_agreed_only) == (seen.state, seen.is_agreed_only):
                raise
            return after

    def _capture(self, order: Words) -> Words:
        path = paypal_objects.path_of(order)
        if not paypal_objects.is_to_be_reserved(order):
            return self._api.call("POST", f"{path}/capture", {}, key=_approval(order))
        (reserved, *_) = paypal_objects.authorisations_of(self._reserve(order))
        self._api.call(
            "POST",
            f"{_AUTHORISATIONS}/{reserved['id']}/capture",
            {"final_capture": True},
            key=reserved["id"],
        )
        return self._api.call("GET", path)

    def _reserve(self, order: Words) -> Words:
        if paypal_objects.authorisations_of(order):
            return order
        path = paypal_objects.path_of(order)
        return self._api.call("POST", f"{path}/authorize", {}, key=_approval(order))


def _approval(order: Words) -> str:
    """After a decline the buyer approves anew: that deserves an answer of its own."""
    return f"{order['id']}-{order.get('update_time', '')}"


def _failure(error: Refused) -> Failure:
    return Failure(
        code=error.issue.lower(),
        message="PayPal could not take the money: choose another way to pay there.",
        charge_id=error.debug_id or None,
    )
