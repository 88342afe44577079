"""What an attacker would send: hostile values, bytes that no value stands for, hostile headers."""

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

DEEP = 1500
_TEXTS = [
    "", " ", "\0", "a\0b", "\ud800", "\ufeff", "\u202eabc", "\x7f", "\r\nX-Evil: 1", "%00", "..",
    "' OR 1=1 --", "{{7*7}}", "<script>", "x" * 300, "x" * 70_000, "🧨" * 90, "e\u0301" * 200,
    "NaN", "-0", "1e400", "0x10", "١٢٣", "9" * 400, "2026-02-30", "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59", "true", "null", "ord_", "ok_", "a@b.c", "a@" + "b." * 120 + "c",
]  # fmt: skip
_NUMBERS = [
    0, -1, 1, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**30, 10**308, 0.1, -0.0, 1e-320, 1.7e308,
    19.999, 999999999999999.9,
]  # fmt: skip
RAW = [
    b"NaN", b"-Infinity", b"1e400", b"-1e-400", b"9" * 5000, b"0" * 50, b"1." + b"3" * 400,
    b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u0000"', b'"\xff"', b'"\xed\xa0\x80"', b"'x'", b"",
    b'{"a":1,"a":2}', b'{"":{}}', b"[" * DEEP + b"]" * DEEP, b"[" * 990 + b"]" * 990, b"[1,]",
    b'{"a":' * DEEP + b"1" + b"}" * DEEP, b"\xef\xbb\xbf{}", b"tru", b"/**/1", b"\x00",
    b"[" + b"0," * 9000 + b"0]",
]  # fmt: skip
"""What is put into a body as it is, since no value of Python stands for it."""
_HEADERS = [
    "Idempotency-Key", "Prefer", "Authorization", "Cookie", "Origin", "Accept", "Range", "Referer",
    "Content-Type", "Content-Encoding", "X-Request-Id", "X-Forwarded-For", "X-Forwarded-Host",
    "Stripe-Signature", "If-None-Match", "Transfer-Encoding", "User-Agent",
]  # fmt: skip
_HEADER_TEXTS = [
    "Bearer ord_", "Bearer ok_x", "Basic !", "Bearer", "Bearer ok_" + "0" * 12 + "_" + "a" * 43,
    "wait=99999999999999999999", "wait=-1", 'wait="', "null", "http://[", "https://:x", "\xff",
    "application/json; charset=\xff", "application/json;;;", "text/json", "x" * 9000,
]  # fmt: skip

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20)
    | st.sampled_from([*_TEXTS, *_NUMBERS])
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)
headers = st.dictionaries(
    st.sampled_from(_HEADERS),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=60)
    | st.sampled_from(_HEADER_TEXTS),
    max_size=4,
)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in a document something else can be put."""
    yield path
    steps = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for step in steps:
        yield from places(node[step], (*path, step))


def with_value(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The document with `value` in place of what stands at `path`."""
    if not path:
        return value
    step, *rest = path
    changed = node.copy()
    changed[step] = with_value(node[step], tuple(rest), value)
    return changed
