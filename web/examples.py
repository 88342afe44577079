"""An example of what a schema describes: its own, or one made of the examples of its fields."""

from typing import Any

from marshmallow import Schema, fields, validate

_OF_TYPE: dict[type, Any] = {
    fields.Boolean: True,
    fields.Integer: 1,
    fields.DateTime: "2026-11-22T12:00:00+00:00",
    fields.Dict: {},
}


def example_of(schema: Schema) -> dict[str, Any]:
    """The schema's own `example`, or each field that must be there or that has an example."""
    own: dict[str, Any] = getattr(schema, "example", {})
    return own or {
        field.data_key or name: _example_of_field(field)
        for name, field in schema.fields.items()
        if field.required or "examples" in field.metadata
    }


def _example_of_field(field: fields.Field[Any]) -> Any:
    if "examples" in field.metadata:
        return field.metadata["examples"][0]
    if field.allow_none:
        return None
    if isinstance(field, fields.Nested):
        return example_of(field.schema)
    if isinstance(field, fields.List):
        return [_example_of_field(field.inner)]
    choices = [each.choices for each in field.validators if isinstance(each, validate.OneOf)]
    if choices:
        return next(iter(choices[0]))
    return _OF_TYPE.get(type(field), "…")
