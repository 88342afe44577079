"""The house keeps its shape: each rule of `tests/rules.py` holds, and is shown to bite."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

import celeryconfig
import tasks
from models import kinds
from tests import rules
from tests.rules import Rule

ROOT = Path(__file__).parents[1]
SESSION = Path("models/session.py")
STATEMENT = Path("models/statement.py")


def _modules(*places: str) -> list[Path]:
    """Modules of these packages, and single files, relative to the root."""
    found = [
        path
        for place in places
        for path in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
    ]
    assert len(found) >= len(places)
    return sorted(path.relative_to(ROOT) for path in found)


def _offences(rule: Rule, modules: Iterable[Path]) -> list[str]:
    return [
        f"{path}:{getattr(node, 'lineno', 1)}"
        for path in modules
        for node in rule(ast.parse((ROOT / path).read_text()))
    ]


def _loaded_by(statement: str) -> set[str]:
    """The top-level packages in a clean process after it has run `statement`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


# --- the house ---


def test_only_transaction_commits_and_rolls_back() -> None:
    others = [path for path in _modules("models", "tasks", "web", "providers") if path != SESSION]
    assert _offences(rules.transactions_ended, others) == []

    session = ast.parse((ROOT / SESSION).read_text())
    (transaction,) = (
        node
        for node in session.body
        if isinstance(node, ast.FunctionDef) and node.name == "transaction"
    )
    ended = set(rules.transactions_ended(session))
    assert ended
    assert ended <= set(ast.walk(transaction))


def test_only_a_statement_goes_past_the_engine() -> None:
    others = [path for path in _modules("models", "tasks", "web") if path != STATEMENT]
    assert _offences(rules.drivers_reached, others) == []
    assert _offences(rules.drivers_reached, [STATEMENT])


def test_the_core_knows_no_provider_by_name() -> None:
    assert _offences(rules.providers_named, _modules("models", "tasks", "web")) == []
    assert _offences(rules.providers_named, _modules("providers"))


def test_only_settings_reads_the_environment() -> None:
    assert _offences(rules.environment_read, _modules(*rules.PACKAGES, "celeryconfig.py")) == []


def test_jobs_and_verbs_know_the_clock_of_the_database_alone() -> None:
    modules = [path for path in _modules("models", "tasks") if path != SESSION]
    assert _offences(rules.clocks_read, modules) == []


def test_verbs_take_the_session_first() -> None:
    assert _offences(rules.sessions_not_first, _modules("models")) == []


def test_nothing_of_the_product_imports_the_sandbox() -> None:
    product = _modules("models", "providers", "tasks", "web", "migrations")
    assert (
        _offences(rules.sandbox_imported, [*product, *_modules("settings.py", "celeryconfig.py")])
        == []
    )


def test_settings_stand_on_nothing_of_ours() -> None:
    assert _offences(rules.ours_imported, [Path("settings.py")]) == []


@pytest.mark.parametrize("name", ["models", "providers"])
def test_a_package_that_must_not_pull_in_its_modules_is_empty(name: str) -> None:
    assert (ROOT / name / "__init__.py").read_text() == ""


def test_a_provider_cannot_reach_database_web_or_workers() -> None:
    names = [path.stem for path in _modules("providers") if path.stem != "__init__"]
    loaded = _loaded_by("\n".join(f"import providers.{name}" for name in names))

    assert {"providers", "stripe"} <= loaded
    assert not loaded & {"sqlalchemy", "flask", "flask_sqlalchemy", "celery", "web", "tasks"}


def test_a_worker_never_loads_the_web() -> None:
    loaded = _loaded_by("import tasks, tasks.relay")

    assert {"celery", "sqlalchemy"} <= loaded
    assert not loaded & {"web", "flask_smorest", "sandbox"}


def test_every_kind_of_job_is_a_noun_and_a_verb_with_a_queue() -> None:
    assert kinds.KINDS
    assert rules.misnamed(kinds.KINDS) == []
    assert {name for name in tasks.app.tasks if not name.startswith("celery.")} == set(kinds.KINDS)


def test_every_queue_is_routed_to_and_served() -> None:
    routed = {pattern: route["queue"] for pattern, route in celeryconfig.task_routes.items()}
    assert routed == {f"{noun}.*": queue for noun, queue in kinds.QUEUES.items()}
    assert {kind.queue for kind in kinds.KINDS.values()} == set(kinds.QUEUES.values())
    assert rules.unserved(kinds.QUEUES.values(), (ROOT / "Procfile").read_text()) == set()


def test_no_module_is_too_long_to_be_read_at_once() -> None:
    modules = _modules(*rules.PACKAGES, "benchmarks", "settings.py", "celeryconfig.py")
    assert [str(path) for path in modules if rules.too_long((ROOT / path).read_text())] == []


def test_the_top_level_holds_what_the_design_allows() -> None:
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    names = {path.name for path in ROOT.iterdir()}

    assert rules.strangers(names, ignored) == set()
    assert names >= rules.FIXED


# --- the rules bite ---

OFFENCES: list[tuple[Rule, str]] = [
    (rules.transactions_ended, "session.commit()"),
    (rules.transactions_ended, "db.session.rollback()"),
    (rules.transactions_ended, "with engine.begin() as c: pass"),
    (rules.transactions_ended, "def verb(session):\n    with session.begin_nested(): pass"),
    (rules.drivers_reached, "session.connection().connection.cursor()"),
    (rules.drivers_reached, "db.engine.raw_connection()"),
    (rules.providers_named, "if row.provider == 'stripe': pass"),
    (rules.providers_named, "FEES = {'paypal': 3}"),
    (rules.environment_read, "import os\nos.environ['HOME']"),
    (rules.environment_read, "import os\nos.getenv('HOME')"),
    (rules.environment_read, "from os import environ"),
    (rules.environment_read, "def late():\n    from dotenv import load_dotenv"),
    (rules.environment_read, "import environs"),
    (rules.clocks_read, "from sqlalchemy import func\nfunc.now()"),
    (rules.clocks_read, "import datetime\ndatetime.datetime.now(datetime.UTC)"),
    (rules.clocks_read, "from datetime import datetime\ndatetime.utcnow()"),
    (rules.clocks_read, "import time\ntime.time()"),
    (rules.clocks_read, "from time import time"),
    (rules.clocks_read, "text('UPDATE job SET run_at = now()')"),
    (rules.clocks_read, "text(f'SELECT {what} WHERE run_at < CURRENT_TIMESTAMP')"),
    (rules.sessions_not_first, "def verb(order_id, session): pass"),
    (rules.sessions_not_first, "def verb(order_id, *, session): pass"),
    (rules.sessions_not_first, "def verb(*, session): pass"),
    (rules.sandbox_imported, "from sandbox.servers import Valkey"),
    (rules.sandbox_imported, "def late():\n    import sandbox.stripe"),
    (rules.ours_imported, "from models.base import db"),
]
INNOCENT: list[tuple[Rule, str]] = [
    (rules.transactions_ended, "from models import asking\nasking.begin(session, 7)"),
    (rules.providers_named, "provider = text('Who takes the money.', 'stripe')"),
    (rules.providers_named, "example: dict[str, str] = {'provider': 'stripe'}"),
    (rules.environment_read, "import os\nos.getpid()"),
    (rules.clocks_read, "import time\ntime.monotonic()"),
    (rules.clocks_read, "from models.session import now\ntext(f'SELECT {now()}')"),
    (rules.sessions_not_first, "def verb(session, order_id): pass"),
    (rules.sessions_not_first, "class C:\n    def verb(self, session): pass"),
]


@pytest.mark.parametrize(("rule", "source"), OFFENCES)
def test_an_offence_is_found(rule: Rule, source: str) -> None:
    assert list(rule(ast.parse(source)))


@pytest.mark.parametrize(("rule", "source"), INNOCENT)
def test_what_only_looks_like_an_offence_is_not_found(rule: Rule, source: str) -> None:
    assert not list(rule(ast.parse(source)))


def test_rules_over_names_and_lines_bite_too() -> None:
    assert rules.misnamed(["payments.close", "close", "payments.Close", "carrier.call"]) == [
        "close",
        "payments.Close",
        "carrier.call",
    ]
    assert rules.unserved(["mail", "sweeps"], "worker_a: celery worker --queues mail,x") == {
        "sweeps"
    }
    assert rules.unserved(["mail"], "web: gunicorn --queues mail") == {"mail"}
    assert rules.strangers(["web", "utils", ".github", ".env"], [".env"]) == {"utils"}
    assert rules.too_long("\n" * (rules.MOST_LINES + 1))


def test_what_a_clean_process_loads_is_seen() -> None:
    assert {"sqlalchemy", "flask"} <= _loaded_by("import models.base")
    assert {"web", "tasks"} <= _loaded_by("import web")
