"""The documentation says what the code does: nothing is missing, nothing is made up."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from click import Command, Group
from flask import Flask
from flask.testing import FlaskClient
from markupsafe import escape
from sqlalchemy import CheckConstraint, Table

import celeryconfig
import settings
from models import dispute, journal, notification, orders, payment, refund, webhook_event
from models.kinds import KINDS, Kind
from models.tables import Base
from sandbox.runner.block import block
from tests import shop
from web.problems import PROBLEMS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def _section(page: Path, heading: str) -> str:
    """What stands under a heading of the second level."""
    (section,) = re.findall(
        rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page.read_text(), re.MULTILINE | re.DOTALL
    )
    return str(section)


def _rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of all tables under a heading, whose first cell is code."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in _section(page, heading).splitlines()
        if line.startswith("| `")
    ]


def _code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# --- docs/configuration.md ---

CONFIGURATION = DOCS / "configuration.md"


def _documented_defaults() -> dict[str, str]:
    """The value of each variable as its row has it; "as `X`" is the value of X."""
    rows = {_code(name)[0]: default for name, default, *_ in _rows(CONFIGURATION, "Settings")}
    values = {}
    for name, default in rows.items():
        referred = rows[_code(default)[0]] if default.startswith("as ") else default
        values[name] = "".join(_code(referred))
    return values


def test_every_setting_is_documented_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {name.upper() for name in settings.Settings.__slots__}
    assert set(_documented_defaults()) == names

    for name in names:
        monkeypatch.delenv(name, raising=False)
    untouched = settings.load()
    for name, value in _documented_defaults().items():
        monkeypatch.setenv(name, value)
    assert settings.load() == untouched


def test_every_variable_of_the_procfile_is_documented_with_its_default() -> None:
    used = re.findall(r"\$\{(\w+):-([^}]*)\}", (ROOT / "Procfile").read_text())
    rows = _rows(CONFIGURATION, "Processes")
    assert {(_code(name)[0], _code(default)[0]) for name, default, *_ in rows} == set(used)


# --- docs/api.md ---

_CONVERTER = re.compile(r"<\w+:")


def test_every_route_is_documented_and_no_other(product: Flask) -> None:
    routes = [
        f"{method} {_CONVERTER.sub('<', rule.rule)}"
        for rule in product.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]
    documented = [call for row in _rows(DOCS / "api.md", "Calls") for call in _code(row[0])]
    assert sorted(documented) == sorted(routes)


def test_every_problem_is_on_the_page_that_the_documentation_names(client: FlaskClient) -> None:
    assert "/orders/docs/problems" in (DOCS / "api.md").read_text()
    page = client.get("/orders/docs/problems").get_data(as_text=True)
    for code, kind in PROBLEMS.items():
        (row,) = re.findall(rf'<tr id="{code}">(.*?)</tr>', page, re.DOTALL)
        assert all(str(escape(said)) in row for said in (kind.title, kind.hint, kind.status))


# --- docs/jobs.md ---


def _row_of(kind: Kind) -> list[str]:
    permanent = ", ".join(f"`{error.__name__}`" for error in kind.retry.permanent) or "—"
    return [
        f"`{kind.name}`",
        f"`{kind.queue}`",
        str(kind.retry.attempts),
        f"{kind.retry.base:g} s",
        permanent,
    ]


def test_every_kind_of_job_is_documented_with_its_queue_and_retries() -> None:
    rows = _rows(DOCS / "jobs.md", "Kinds")
    assert sorted(row[:5] for row in rows) == sorted(map(_row_of, KINDS.values()))


def test_what_the_death_of_a_job_entails_is_said_where_it_entails_something() -> None:
    deaths = {_code(row[0])[0]: row[6] for row in _rows(DOCS / "jobs.md", "Kinds")}
    silent = {name for name, death in deaths.items() if death.startswith("nothing more")}
    assert silent == {name for name, kind in KINDS.items() if kind.exhausted is None}


def test_every_periodic_job_is_documented() -> None:
    rows = {
        tuple(_code(row[0]) + _code(row[1])) for row in _rows(DOCS / "jobs.md", "The clockwork")
    }
    assert rows == {(name, entry["task"]) for name, entry in celeryconfig.beat_schedule.items()}


def test_every_queue_is_documented_with_the_process_that_serves_it() -> None:
    lines = re.findall(
        r"^(worker\w*):.*--pool (\w+).*--queues (\S+)",
        (ROOT / "Procfile").read_text(),
        re.MULTILINE,
    )
    served = {(queue, name, pool) for name, pool, queues in lines for queue in queues.split(",")}
    rows = _rows(DOCS / "jobs.md", "Queues")
    assert {(_code(queue)[0], _code(name)[0], pool) for queue, name, pool, _ in rows} == served


# --- docs/operations.md ---


def _commands(group: Group, prefix: str = "flask --app web") -> Iterator[tuple[str, Command]]:
    """Our own commands, with what is typed to run them."""
    for name, command in group.commands.items():
        if isinstance(command, Group):
            yield from _commands(command, f"{prefix} {name}")
        elif getattr(command.callback, "__module__", "").startswith("web."):
            yield f"{prefix} {name}", command


def test_every_command_is_documented_with_its_options(product: Flask) -> None:
    rows = {_code(row[0])[0]: row[1] for row in _rows(DOCS / "operations.md", "Commands")}
    commands = dict(_commands(product.cli))
    assert commands
    for usage, command in commands.items():
        (options,) = (options for text, options in rows.items() if text.startswith(usage))
        assert {option for given in command.params for option in given.opts if "--" in option} == {
            option for option in _code(options) if "--" in option
        }


def test_every_query_for_operators_runs(app: Flask) -> None:
    queries = [
        query
        for page in PAGES
        for query in re.findall(r"```sql\n(.*?)```", page.read_text(), re.DOTALL)
    ]
    assert queries
    for query in queries:
        with shop.database() as session:
            session.connection().exec_driver_sql(query)


# --- docs/states.md ---

STATES = DOCS / "states.md"
TABLES: Mapping[str, journal.StateTable] = {
    "orders": orders.STATES,
    "payment": payment.STATES,
    "refund": refund.STATES,
    "dispute": dispute.STATES,
    "notification": notification.STATES,
    "webhook_event": webhook_event.STATES,
}


def _checked(table: Table) -> set[str]:
    """The states that the database takes."""
    checks = [each for each in table.constraints if isinstance(each, CheckConstraint)]
    (text,) = (str(each.sqltext) for each in checks if each.name == f"ck_{table.name}_state")
    return set(re.findall(r"'(\w+)'", text))


STATEFUL = [name for name, table in Base.metadata.tables.items() if "state" in table.columns]


def _transitions(name: str) -> dict[str, set[str]]:
    return {_code(row[0])[0]: set(_code(row[1])) for row in _rows(STATES, f"`{name}`")}


@pytest.mark.parametrize("name", STATEFUL)
def test_every_state_is_documented_and_drawn(name: str) -> None:
    table = Base.metadata.tables[name]
    documented = _transitions(name)
    assert set(documented) == _checked(table)

    picture = re.findall(r"^ +(\S+) --> (\w+)", _section(STATES, f"`{name}`"), re.MULTILINE)
    assert {state for arrow in picture for state in arrow} - {"[*]"} == _checked(table)
    assert all(to in documented[source] for source, to in picture if source != "[*]")
    default = table.columns["state"].default
    assert [to for source, to in picture if source == "[*]"] == [getattr(default, "arg", "")]


@pytest.mark.parametrize("name", TABLES)
def test_every_transition_is_documented_and_no_other(name: str) -> None:
    assert _transitions(name) == TABLES[name]
    assert set(TABLES[name]) == _checked(Base.metadata.tables[name])


# --- README.md, decisions, links ---


def test_the_readme_knows_every_target_of_make_and_no_other() -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"\bmake ([a-z-]+)", " ".join(_code_of((ROOT / "README.md").read_text())))
    assert set(named) == set(targets)


def _code_of(text: str) -> list[str]:
    return [*re.findall(r"```\w*\n(.*?)```", text, re.DOTALL), *re.findall(r"`([^`\n]+)`", text)]


def test_the_readme_shows_what_make_run_prints() -> None:
    web, mail, provider = (f"http://127.0.0.1:{port}" for port in (8000, 8025, 12111))
    state = {
        "base_urls": {
            "web": web,
            "shop": f"{web}/shop/",
            "sandbox": f"{web}/dev/",
            "docs": f"{web}/orders/docs/",
            "mail": mail,
            "provider": provider,
            "paypal": "http://127.0.0.1:12112",
            "metrics": "http://127.0.0.1:9464/metrics",
        },
        "staff": {"email": "staff@orders.example", "password": "9vOnn7uKvWl9XqMW"},
        "provider_control_url": f"{provider}/_control",
        "webhook_url": f"{web}/orders/webhook/",
    }
    assert block(state, None, how_to_stop="Ctrl-C").strip() in (ROOT / "README.md").read_text()


def test_the_order_that_the_readme_places_is_taken(client: FlaskClient) -> None:
    (body,) = re.findall(r"-d '(.*?)'", (ROOT / "README.md").read_text(), re.DOTALL)
    shop.make_item(sku="TSHIRT-BLUE", unit_price_minor=1999)
    answer = client.post("/orders/create/", data=body, content_type="application/json")
    assert answer.status_code == 201


def test_decisions_are_numbered_listed_and_complete() -> None:
    decisions = sorted((DOCS / "adr").glob("0*.md"))
    index = (DOCS / "adr" / "README.md").read_text()
    for number, path in enumerate(decisions, start=1):
        assert path.name.startswith(f"{number:04}-")
        assert f"({path.name})" in index
        headings = re.findall(r"^## (.*)$", path.read_text(), re.MULTILINE)
        assert headings == ["Context", "Decision", "Cost"]


def test_decisions_that_the_code_cites_exist() -> None:
    sources = [
        path
        for place in ("models", "providers", "tasks", "web", "sandbox")
        for path in (ROOT / place).rglob("*.py")
    ]
    texts = [path.read_text() for path in [*sources, *ROOT.glob("*.py")]]
    cited = {number for text in texts for number in re.findall(r"docs/adr/(\d{4})", text)}
    assert "0001" in cited
    assert all(list((DOCS / "adr").glob(f"{number}-*.md")) for number in cited)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in _anchors(file), target


def _anchors(page: Path) -> set[str]:
    """The addresses of a page's headings, as code hosts derive them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
