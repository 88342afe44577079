"""Fields of what goes out, as answers and documentation share them."""

from collections.abc import Iterable
from typing import Any

from marshmallow import fields, validate

from web.schemas import about


def text(description: str, *examples: object, **options: Any) -> fields.String:
    """A text that goes out; always there unless `required=False`."""
    return fields.String(metadata=about(description, *examples), **{"required": True, **options})


def one_of(words: Iterable[str], description: str, **options: Any) -> fields.String:
    return text(description, validate=validate.OneOf(tuple(words)), **options)


def money(description: str) -> fields.String:
    return text(f"{description}, with as many decimals as the currency has.", "39.98")


def currency_code() -> fields.String:
    return text("ISO 4217.", "EUR")


def number(description: str, *examples: object) -> fields.Integer:
    return fields.Integer(required=True, metadata=about(description, *examples))


def flag(description: str, **options: Any) -> fields.Boolean:
    return fields.Boolean(metadata=about(description), **{"required": True, **options})


def moment(description: str, **options: Any) -> fields.DateTime:
    return fields.DateTime(metadata=about(description), **{"required": True, **options})
