"""What may be stored of a provider's words: the fields that are named, and no others."""

from collections.abc import Mapping
from typing import Any

Rule = Mapping[str, "Rule"]
"""The fields that are kept of an object, and what is kept inside of each."""


def fields(names: str, **inside: Rule) -> Rule:
    """A rule that keeps these words, parted by blanks, and of these objects what is said."""
    return {**{name: {} for name in names.split()}, **inside}


def of_fields(words: Mapping[str, Any], rule: Rule) -> dict[str, Any]:
    """What the rule keeps of an object."""
    return {name: _of_value(words[name], inside) for name, inside in rule.items() if name in words}


def _of_value(value: Any, inside: Rule) -> Any:
    if isinstance(value, Mapping):
        return of_fields(value, inside)
    if isinstance(value, list):
        return [_of_value(each, inside) for each in value]
    if inside and "id" not in inside:  # a word in the place of an object that has no other name
        return None
    return value.replace("\0", "") if isinstance(value, str) else value  # which jsonb cannot hold
