"""Strict fields for whatever comes from outside; each fault reads "code: detail"."""

import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from babel import Locale
from iso4217 import Currency as Iso4217
from marshmallow import fields, validate
from marshmallow.types import ErrorMessages

CURRENCIES = sorted(str(currency.code) for currency in Iso4217 if currency.exponent is not None)

# CLDR also names groups of countries, pseudo-locales and "unknown": nobody ships there.
_NOT_PLACES = {"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ"}
COUNTRIES = sorted(
    code
    for code in map(str, Locale("en").territories)
    if re.fullmatch("[A-Z]{2}", code) and code not in _NOT_PLACES
)

# Neither control characters, which PostgreSQL or a log refuses, nor line and direction
# changers, which make a page show another text than is stored. Reads the same in JavaScript.
PRINTABLE = r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*"
# At most 15 digits survive every client that reads JSON numbers as doubles.
PLAIN_DECIMAL = r"(?=(?:\.?[0-9]){1,15}$)(?:0|[1-9][0-9]*)(?:\.[0-9]+)?"

_COMMON: ErrorMessages = {
    "required": "missing_field: This field is required.",
    "null": "invalid_field: This field must not be null.",
}


class Nested(fields.Nested):
    default_error_messages = _COMMON


class SafeStr(fields.String):
    """Text that is safe to store, log and show: NFC, stripped, printable, of bounded length."""

    default_error_messages = _COMMON

    def __init__(
        self,
        *,
        min_length: int = 1,
        max_length: int = 200,
        metadata: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        fault = f"invalid_field: Must be text of {min_length} to {max_length} characters."
        super().__init__(
            validate=validate.Length(min_length, max_length, error=fault),
            error_messages={
                "invalid": fault,
                "unprintable": "invalid_field: Must not contain control characters.",
            },
            metadata={"pattern": f"^{PRINTABLE}$", **(metadata or {})},
            **options,
        )

    def _deserialize(self, value: Any, *_rest: Any, **_context: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        if value.isascii() and value.isprintable():  # as most text is: it has nothing to mend
            return value.strip()
        text = unicodedata.normalize("NFC", value)
        if not re.fullmatch(PRINTABLE, text):
            raise self.make_error("unprintable")
        return text.strip()


class HttpsAddress(SafeStr):
    """A page that is safe to link to."""

    PATTERN = r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~:/?#@!$&()*+,;=%-]*)?"

    def __init__(self, *, metadata: dict[str, Any], **options: Any) -> None:
        super().__init__(metadata={**metadata, "pattern": f"^{self.PATTERN}$"}, **options)
        self.error_messages["malformed"] = "invalid_field: Must be an https:// address."

    def _deserialize(self, value: Any, *rest: Any, **context: Any) -> str:
        address = super()._deserialize(value, *rest, **context)
        if not re.fullmatch(self.PATTERN, address):
            raise self.make_error("malformed")
        return address


class Password(fields.String):
    """Up to 200 characters, taken exactly as they are: they are hashed, never shown."""

    default_error_messages = _COMMON

    def __init__(self, *, metadata: dict[str, Any], **options: Any) -> None:
        fault = "invalid_field: Must be text of 1 to 200 characters."
        super().__init__(
            validate=validate.Length(1, 200, error=fault),
            error_messages={"invalid": fault},
            metadata={"format": "password", **metadata},
            **options,
        )


class EmailAddress(SafeStr):
    """An address that every mail server takes: ASCII, a dot in the domain, at most 254 long."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_length=3, max_length=254, **options)
        self.metadata = {"format": "email", **options.get("metadata", {})}
        fault = "invalid_email: Must be an address like guest@example.com."
        self.error_messages |= dict.fromkeys(("invalid", "unprintable", "malformed"), fault)
        self.validators = [validate.Length(3, 254, error=fault), validate.Email(error=fault)]

    def _deserialize(self, value: Any, *rest: Any, **context: Any) -> str:
        address = super()._deserialize(value, *rest, **context)
        if not address.isascii() or "." not in address.rpartition("@")[2]:
            raise self.make_error("malformed")
        return address


class Choice(fields.String):
    """One of the given words, exactly; anything else is the fault `code`."""

    default_error_messages = _COMMON

    def __init__(self, choices: Iterable[str], *, code: str, detail: str, **options: Any) -> None:
        fault = f"{code}: {detail}"
        super().__init__(
            validate=validate.OneOf(tuple(choices), error=fault),
            error_messages={"invalid": fault},
            **options,
        )


class Currency(Choice):
    """A currency of ISO 4217 that has minor units, in capitals."""

    def __init__(self, **options: Any) -> None:
        detail = "Must be a currency of ISO 4217, like EUR."
        super().__init__(CURRENCIES, code="unknown_currency", detail=detail, **options)


class CountryCode(Choice):
    """A country of ISO 3166-1, two capitals."""

    def __init__(self, **options: Any) -> None:
        detail = "Must be a country of ISO 3166, like IE."
        super().__init__(COUNTRIES, code="unknown_country", detail=detail, **options)


class StrictInt(fields.Integer):
    """A JSON integer within bounds; no boolean, fraction or string passes for one."""

    default_error_messages = _COMMON

    def __init__(self, *, minimum: int, maximum: int, code: str, **options: Any) -> None:
        fault = f"{code}: Must be a whole number from {minimum} to {maximum}."
        super().__init__(
            strict=True,
            validate=validate.Range(minimum, maximum, error=fault),
            error_messages={"invalid": fault, "null": fault},
            **options,
        )


class StrictBool(fields.Boolean):
    """`true` or `false`; no number or string passes for one."""

    default_error_messages = _COMMON

    def __init__(self, **options: Any) -> None:
        fault = "invalid_field: Must be true or false."
        super().__init__(error_messages={"invalid": fault}, **options)

    def _deserialize(self, value: Any, *_rest: Any, **_context: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise self.make_error("invalid", input=value)


class Money(fields.Field[Decimal]):
    """A price as Decimal, not negative, from a decimal string or a number of at most 15 digits.

    How many decimals it may have is for the schema to say, which knows the currency.
    """

    default_error_messages = _COMMON

    def __init__(self, *, metadata: dict[str, Any] | None = None, **options: Any) -> None:
        fault = 'invalid_price: Must be a price like "19.99", not negative, of at most 15 digits.'
        spellings = [
            {"type": "string", "pattern": f"^{PLAIN_DECIMAL}$"},
            {"type": "number", "minimum": 0},
        ]
        super().__init__(
            error_messages={"invalid": fault, "null": fault},
            metadata={"anyOf": spellings, **(metadata or {})},
            **options,
        )

    def _deserialize(self, value: Any, *_rest: Any, **_context: Any) -> Decimal:
        plain = value if isinstance(value, str) else repr(value)
        if isinstance(value, (str, int, float)) and re.fullmatch(PLAIN_DECIMAL, plain):
            return Decimal(plain)
        raise self.make_error("invalid")


class Items(fields.List[Any]):
    """1 to `most` entries; their number is checked before any of them is read."""

    default_error_messages = _COMMON

    def __init__(self, entry: fields.Field[Any], *, most: int, **options: Any) -> None:
        super().__init__(
            entry,
            error_messages={
                "invalid": "invalid_field: Must be a list.",
                "empty": "items_empty: Must have at least one entry.",
                "too_many": f"too_many_items: Must have at most {most} entries.",
            },
            **options,
        )
        self.metadata = {"minItems": 1, "maxItems": most, **self.metadata}
        self.most = most

    def _deserialize(self, value: Any, *rest: Any, **context: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        if not value:
            raise self.make_error("empty")
        if len(value) > self.most:
            raise self.make_error("too_many")
        return super()._deserialize(value, *rest, **context)
