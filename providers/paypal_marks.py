"""Our marks on PayPal's objects: of whose, and of which row of ours an object is."""

import re
from typing import NamedTuple

# PayPal allows letters, digits and -_., in the custom_id of a refund.
_FORM = re.compile(r"(?P<app>[a-z0-9-]+)\.pi\.(?P<payment>\d{1,18})(\.re\.(?P<refund>\d{1,18}))?")


class Mark(NamedTuple):
    """What a `custom_id` of ours says. A refund without one has that of its payment."""

    app: str
    payment_id: int
    refund_id: int | None = None

    def __str__(self) -> str:
        refund = "" if self.refund_id is None else f".re.{self.refund_id}"
        return f"{self.app}.pi.{self.payment_id}{refund}"


def read(custom_id: object) -> Mark | None:
    """The mark, in the form that every application of ours writes; None for any other text."""
    found = _FORM.fullmatch(custom_id) if isinstance(custom_id, str) else None
    if found is None:
        return None
    refund = found["refund"]
    return Mark(found["app"], int(found["payment"]), int(refund) if refund else None)
