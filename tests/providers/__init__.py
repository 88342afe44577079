"""Tests of the adapters; scenarios that hold for every one of them are in `conformance_*`."""

import pytest

for part in ("payments", "refunds", "events"):
    pytest.register_assert_rewrite(f"tests.providers.conformance_{part}")
