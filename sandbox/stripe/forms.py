"""Form bodies: brackets become trees, and trees become typed parameters or an error."""

import re
from collections.abc import Callable, Iterable, Mapping

from sandbox.stripe.errors import Document, ParameterError

Raw = str | dict[str, "Raw"]
Rule = Callable[[str, Raw], object]

NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
URL = re.compile(r"https?://[\w.-]+(:\d{1,5})?([/?#]\S*)?")
METADATA_KEYS, METADATA_KEY_LENGTH, METADATA_VALUE_LENGTH = 50, 40, 500


def decode(pairs: Iterable[tuple[str, str]]) -> dict[str, Raw]:
    """Tree of `a[b][0]=x` pairs; every leaf is a string, a list is a tree with index keys."""
    tree: dict[str, Raw] = {}
    for name, value in pairs:
        _plant(tree, name, value)
    return tree


def _plant(tree: dict[str, Raw], name: str, value: str) -> None:
    match = NAME.fullmatch(name)
    if match is None:
        raise ParameterError(name, f"Invalid parameter name: {name}", "parameter_unknown")
    *parents, leaf = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
    for parent in parents:
        branch = tree.setdefault(parent, {})
        if isinstance(branch, str):
            raise ParameterError(name, f"Invalid {parent}: both a value and a hash were given")
        tree = branch
    tree[leaf or str(len(tree))] = value


def read(rules: Mapping[str, Rule], tree: Mapping[str, Raw], inside: str = "") -> Document:
    """The parameters given, each in its own type; raise ParameterError for the first bad one."""
    params: Document = {}
    for name, raw in tree.items():
        param = f"{inside}[{name}]" if inside else name
        if name not in rules:
            raise ParameterError(param, f"Received unknown parameter: {param}", *_unknown(name))
        params[name] = rules[name](param, raw)
    return params


def _unknown(name: str) -> tuple[str]:
    if name == "payment_method_types":
        return ("payment_method_types_no_longer_supported",)
    return ("parameter_unknown",)


def require(params: Document, *names: str, inside: str = "") -> None:
    """Raise for the first of these parameters that was not given."""
    for name in names:
        if params.get(name) is None:
            param = f"{inside}[{name}]" if inside else name
            raise ParameterError(param, f"Missing required param: {param}.", "parameter_missing")


def _string(param: str, raw: Raw) -> str:
    if not isinstance(raw, str):
        raise ParameterError(param, f"Invalid string: {param}", "parameter_invalid_string")
    return raw


def text(longest: int = 5000) -> Rule:
    """Take a string of at most that many characters; the empty one means: unset."""

    def rule(param: str, raw: Raw) -> str | None:
        value = _string(param, raw)
        if len(value) > longest:
            message = f"Invalid string: {param} must be at most {longest} characters"
            raise ParameterError(param, message)
        return value or None

    return rule


def integer(param: str, raw: Raw) -> int:
    """A positive whole number."""
    value = _string(param, raw)
    if not value:
        message = f"You passed an empty string for '{param}'."
        raise ParameterError(param, message, "parameter_invalid_empty")
    if not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise ParameterError(param, f"Invalid integer: {value}", "parameter_invalid_integer")
    if int(value) < 1:
        message = "This value must be greater than or equal to 1."
        raise ParameterError(param, message, "parameter_invalid_integer")
    return int(value)


def natural(param: str, raw: Raw) -> int:
    """A whole number from 0 on: a place in a search, or seconds since 1970."""
    value = _string(param, raw)
    if not re.fullmatch(r"[0-9]{1,12}", value):
        raise ParameterError(param, f"Invalid integer: {value}", "parameter_invalid_integer")
    return int(value)


def boolean(param: str, raw: Raw) -> bool:
    """`true` or `false`."""
    if raw not in ("true", "false"):
        raise ParameterError(param, f"Invalid boolean: {raw}")
    return raw == "true"


def one_of(*choices: str) -> Rule:
    """Take one of these words."""

    def rule(param: str, raw: Raw) -> str:
        if raw not in choices:
            message = f"Invalid {param}: must be one of {', '.join(choices)}"
            raise ParameterError(param, message)
        return str(raw)

    return rule


def url(param: str, raw: Raw) -> str:
    """An absolute http or https URL."""
    value = _string(param, raw)
    if not URL.fullmatch(value):
        raise ParameterError(param, f"Not a valid URL: {value}", "url_invalid")
    return value


def hash_of(**rules: Rule) -> Rule:
    """Take a hash with these parameters inside."""

    def rule(param: str, raw: Raw) -> Document:
        if isinstance(raw, str):
            raise ParameterError(param, "Invalid object", "parameter_invalid_object")
        return read(rules, raw, inside=param)

    return rule


def list_of(rule: Rule) -> Rule:
    """Take `a[]=x` or `a[0]=x`, each item by one rule."""

    def each(param: str, raw: Raw) -> list[object]:
        if isinstance(raw, str):
            raise ParameterError(param, "Invalid array", "parameter_invalid_array")
        return [rule(f"{param}[{index}]", item) for index, item in raw.items()]

    return each


def moment(param: str, raw: Raw) -> Document:
    """`created=123` or `created[gte]=123`, as a hash of comparisons."""
    if isinstance(raw, str):
        return {"gte": natural(param, raw), "lte": natural(param, raw)}
    comparisons = dict.fromkeys(("gt", "gte", "lt", "lte"), natural)
    return read(comparisons, raw, inside=param)


def metadata(param: str, raw: Raw) -> dict[str, str]:
    """Keys to strings, within Stripe's limits; an empty value means: remove the key."""
    if not isinstance(raw, dict):
        return _cleared(param, raw)
    if len(raw) > METADATA_KEYS:
        raise ParameterError(param, f"Metadata can have at most {METADATA_KEYS} keys.")
    return {key: _metadata_value(param, key, value) for key, value in raw.items()}


def _cleared(param: str, raw: str) -> dict[str, str]:
    if raw:
        raise ParameterError(param, "Invalid object", "parameter_invalid_object")
    return {}


def _metadata_value(param: str, key: str, raw: Raw) -> str:
    value = _string(f"{param}[{key}]", raw)
    if len(key) > METADATA_KEY_LENGTH:
        message = f"Metadata keys can be up to {METADATA_KEY_LENGTH} characters: {key}"
        raise ParameterError(f"{param}[{key}]", message)
    if len(value) > METADATA_VALUE_LENGTH:
        message = f"Metadata values can be up to {METADATA_VALUE_LENGTH} characters: {key}"
        raise ParameterError(f"{param}[{key}]", message)
    return value


def merge_metadata(present: dict[str, str], changes: dict[str, str] | None) -> dict[str, str]:
    """Metadata after the changes; an empty value removes its key, an empty hash every key."""
    both = present | changes if changes else ({} if changes == {} else present)
    if len(both) > METADATA_KEYS:
        raise ParameterError("metadata", f"Metadata can have at most {METADATA_KEYS} keys.")
    return {key: value for key, value in both.items() if value}
