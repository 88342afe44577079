"""Schemathesis calls every operation of the document, as everybody, with what fits and what not."""

from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from tests.web.attack import Target, target

Operation = APIOperation[Any, Any, Any, Any]

EXAMPLES = min(settings().max_examples // 16, 60)
LEFT_OUT = [
    # The document cannot say everything: decimals of a currency, signatures, weak passwords.
    positive_data_acceptance,
    # It expects 401 where we hide that there is anything: 404. See test_authorisation.py.
    ignored_auth,
]
HASHES_PASSWORDS = {"POST /auth/login/", "POST /auth/password/", "POST /auth/sign-up/"}


@pytest.fixture
def attacked(app: Flask) -> Target:
    return target(app)


def test_every_answer_to_anybody_is_as_the_document_says(attacked: Target) -> None:
    schema = schemathesis.openapi.from_wsgi("/orders/schema/", attacked.app)
    found = schema.get_all_operations()
    called = []
    for operation in (each.ok() for each in found if isinstance(each, Ok)):
        times = 4 if operation.label in HASHES_PASSWORDS else EXAMPLES
        _call(_cases(operation, attacked), attacked, times)
        called.append(operation.label)
    assert sorted(called) == sorted(address for address, _ in attacked.operations())


def _cases(operation: Operation, attacked: Target) -> st.SearchStrategy[Case[Any]]:
    """Calls that fit the document, with ids made up and ids that there are, and calls that do not.

    There is nothing that does not fit an operation without parameters and body.
    """
    ours = {name: value for name, value in attacked.ids.items() if name in operation.path}
    cases = operation.as_strategy() | operation.as_strategy(path_parameters=ours)
    if operation.body or operation.query or operation.headers:
        cases |= operation.as_strategy(GenerationMode.NEGATIVE)
    return cases


def _call(cases: st.SearchStrategy[Case[Any]], attacked: Target, times: int) -> None:
    @settings(
        max_examples=times,
        deadline=None,
        database=None,
        # The shop changes with each call: what fails is told at once, as nothing could shrink it.
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases, st.sampled_from(sorted(attacked.callers)))
    def call(case: Case[Any], caller: str) -> None:
        case.call_and_validate(headers=attacked.callers[caller], excluded_checks=LEFT_OUT)

    call()
