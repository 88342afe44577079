"""Bodies read in a tenth of the time by schemas whose bodies mostly have no fault.

marshmallow keeps, for each value of each object, where its fault would be told. A `QuickSchema`
first reads without that, by the very rules of its own fields, and gives up at whatever does not
fit: then marshmallow reads the body anew and says all that is wrong with it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import marshmallow
from marshmallow import ValidationError, fields, missing, validates_schema
from marshmallow.validate import Length, OneOf

from web.fields import Choice, Items, SafeStr

Reader = Callable[[Any], Any]

_UNFIT = ValidationError("")


class QuickSchema(marshmallow.Schema):
    """A schema that refuses unknown fields and has no hooks but `judge`, nor have those in it.

    Its fields, too, must say all they ask for in `_deserialize` and `validators`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._read = _object(self)

    def judge(self, data: Mapping[str, Any]) -> None:
        """Raise ValidationError if fields that are right by themselves do not go together."""

    @validates_schema
    def _judge(self, data: dict[str, Any], **_context: Any) -> None:
        self.judge(data)

    def load(self, data: Any, **options: Any) -> Any:
        if not options:
            try:
                return self._read(data)
            except ValidationError:
                pass
        return super().load(data, **options)


def _object(schema: marshmallow.Schema) -> Reader:
    rules = [
        (name, _value(field), field.required, field.load_default)
        for name, field in schema.load_fields.items()
    ]
    judge = schema.judge if isinstance(schema, QuickSchema) else None

    def read(data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise _UNFIT
        found, known = {}, 0
        for name, value_of, is_required, default in rules:
            value = data.get(name, missing)
            if value is not missing:
                found[name] = value_of(value)
                known += 1
            elif is_required:
                raise _UNFIT
            elif default is not missing:
                found[name] = default
        if known < len(data):
            raise _UNFIT
        if judge is not None:
            judge(found)
        return found

    return read


def _value(field: fields.Field[Any]) -> Reader:
    if isinstance(field, fields.Nested):
        read = _object(field.schema)
    elif isinstance(field, Items):
        read = _entries(_value(field.inner), field.most)
    else:
        read = _checked(field)
    return _or_null(read) if field.allow_none else read


def _checked(field: fields.Field[Any]) -> Reader:
    deserialize, validators = field._deserialize, field.validators  # noqa: SLF001

    def read(value: Any) -> Any:
        if value is None:
            raise _UNFIT
        found = deserialize(value, None, None)
        for check in validators:
            check(found)
        return found

    if type(field) is SafeStr:
        return _plain(read, *(each for each in validators if isinstance(each, Length)))
    if isinstance(field, Choice):
        return _chosen(*(each for each in validators if isinstance(each, OneOf)))
    return read


def _plain(read: Reader, length: Length) -> Reader:
    """Takes text as it mostly is at once, and leaves all other to the field."""
    least, most = length.min or 0, length.max or 0

    def read_plain(value: Any) -> Any:
        if isinstance(value, str) and value.isascii() and value.isprintable():
            text = value.strip()
            if least <= len(text) <= most:
                return text
        return read(value)

    return read_plain


def _chosen(one_of: OneOf) -> Reader:
    choices = frozenset(one_of.choices)

    def read_chosen(value: Any) -> Any:
        if isinstance(value, str) and value in choices:
            return value
        raise _UNFIT

    return read_chosen


def _entries(read_one: Reader, most: int) -> Reader:
    def read(value: Any) -> list[Any]:
        if not isinstance(value, list) or not 0 < len(value) <= most:
            raise _UNFIT
        return [read_one(each) for each in value]

    return read


def _or_null(read: Reader) -> Reader:
    return lambda value: None if value is None else read(value)
