"""What holds for the stand-in of every provider: whom it obeys, and what it knows."""

import subprocess
import sys
from typing import cast

import pytest
import requests

from tests.sandbox.process import ROOT, SandboxProcess

PROVIDERS = {"stripe": "sandbox", "paypal": "paypal"}
"""With the fixture of each."""


@pytest.fixture(params=PROVIDERS)
def process(request: pytest.FixtureRequest) -> SandboxProcess:
    return cast("SandboxProcess", request.getfixturevalue(PROVIDERS[request.param]))


def test_other_sites_cannot_steer_it_through_a_browser(process: SandboxProcess) -> None:
    reset = f"{process.url}/_control/reset"
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        assert requests.post(reset, headers=headers, timeout=10).status_code == 403
    assert requests.post(reset, headers={"Origin": process.url}, timeout=10).status_code == 200


@pytest.mark.parametrize("name", PROVIDERS)
def test_it_imports_nothing_of_the_shop(name: str) -> None:
    code = (
        f"import sys, sandbox.{name}.server;"
        "shop = {'web', 'tasks', 'models', 'providers', 'settings', 'sqlalchemy', 'celery'};"
        "assert not shop & set(sys.modules), shop & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=30, check=True)


def test_the_control_surface_refuses_what_it_does_not_know(process: SandboxProcess) -> None:
    for path, body in (
        ("config", {"colour": "red"}),
        ("faults", {"endpoint": "*", "fault": "fire"}),
        ("deliveries", {"mode": "pigeon"}),
    ):
        answer = requests.post(f"{process.url}/_control/{path}", json=body, timeout=10)
        assert answer.status_code == 400
    unknown = requests.post(f"{process.url}/_control/refunds/NONE/fail", timeout=10)
    assert unknown.status_code == 404
    assert requests.post(f"{process.url}/_control/kings/NONE/fail", timeout=10).status_code == 404


def test_the_control_surface_shows_payments_as_the_page_does(process: SandboxProcess) -> None:
    assert process.read("payments?limit=1") == []
    assert "No payment yet" in requests.get(process.url, timeout=10).text
