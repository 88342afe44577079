"""The migrations make the schema that the models describe, and can be undone and redone."""

import io
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask, current_app
from flask_migrate import Migrate, downgrade, upgrade
from sqlalchemy import make_url

import settings
from models.base import connect, db
from models.tables import Base

MIGRATIONS = Path(__file__).parents[1] / "migrations"
SCRIPTS = ScriptDirectory(str(MIGRATIONS))
TABLES = set(Base.metadata.tables)


class Database:
    """An empty database of its own, and an app on it as the release command has."""

    def __init__(self) -> None:
        self.name = f"migrations_{uuid.uuid4().hex[:12]}"
        chosen = settings.current()
        url = make_url(chosen.database_url).set(database=self.name)
        self.address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self.app = Flask(self.name)
        given = replace(chosen, database_url=url.render_as_string(hide_password=False))
        connect(self.app, given, pool_size=2, pool_timeout=2)
        Migrate(self.app, db, directory=str(MIGRATIONS))

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.address, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def tables(self) -> set[str]:
        return {
            str(name)
            for (name,) in self.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        }

    def schema(self) -> set[tuple[object, ...]]:
        """Every column, constraint, index, function and parameter, in PostgreSQL's own words."""
        return {row for query in _DESCRIPTIONS for row in self.rows(query)}


_DESCRIPTIONS = (
    """SELECT table_name, column_name, data_type, character_maximum_length, is_nullable,
              column_default, is_identity
       FROM information_schema.columns
       WHERE table_schema = 'public' AND table_name <> 'alembic_version'""",
    """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
       FROM pg_constraint
       WHERE connamespace = 'public'::regnamespace
         AND conrelid <> coalesce(to_regclass('alembic_version'), 0)""",
    """SELECT tablename, indexname, indexdef
       FROM pg_indexes
       WHERE schemaname = 'public' AND tablename <> 'alembic_version'""",
    """SELECT proname, pg_get_functiondef(oid) FROM pg_proc
       WHERE pronamespace = 'public'::regnamespace""",
    """SELECT relname, reloptions::text FROM pg_class
       WHERE relnamespace = 'public'::regnamespace AND reloptions IS NOT NULL""",
)


@pytest.fixture
def empty() -> Iterator[Database]:
    yield from _database()


@pytest.fixture(scope="module")
def migrated() -> Iterator[Database]:
    for database in _database():
        with database.app.app_context():
            upgrade()
        yield database


def _database() -> Iterator[Database]:
    database = Database()
    _tell_server(f"CREATE DATABASE {database.name}")
    yield database
    with database.app.app_context():
        db.engine.dispose()
    _tell_server(f"DROP DATABASE {database.name}")


def _tell_server(statement: str) -> None:
    url = make_url(settings.current().database_url).set(drivername="postgresql")
    address = url.render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(statement.encode())


# --- one line of migrations ---


def test_there_is_one_head_and_one_beginning() -> None:
    assert len(SCRIPTS.get_heads()) == 1
    assert len(SCRIPTS.get_bases()) == 1


def test_up_down_to_nothing_and_up_again(empty: Database) -> None:
    with empty.app.app_context():
        upgrade()
        first = empty.schema()
        assert empty.tables() == {*TABLES, "alembic_version"}

        downgrade(revision="base")
        assert empty.tables() == {"alembic_version"}
        assert empty.schema() == set()

        upgrade()
        assert empty.schema() == first


def test_nothing_is_left_for_autogenerate_to_find(migrated: Database) -> None:
    with migrated.app.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_the_migrated_schema_is_the_models_schema_to_the_last_check(
    migrated: Database, empty: Database
) -> None:
    """Autogenerate sees no CHECK, no condition of a partial index, no function and no room."""
    with empty.app.app_context():
        Base.metadata.create_all(db.engine)
    assert migrated.schema() == empty.schema()

    empty.rows("ALTER TABLE stock_item DROP CONSTRAINT ck_stock_item_held_within_stock")
    empty.rows("DROP INDEX uq_payment_live")
    empty.rows("ALTER FUNCTION place_order STABLE")
    empty.rows("ALTER TABLE job RESET (fillfactor)")
    missing = {row[1 if len(row) > 2 else 0] for row in migrated.schema() - empty.schema()}
    assert missing == {"ck_stock_item_held_within_stock", "uq_payment_live", "place_order", "job"}


# --- what the database refuses by itself ---

_STATUS = "ck_stock_item_status_agrees_with_stock"

SHOP = """
INSERT INTO stock_item (id, sku, title, unit_price_minor, currency, stock, held, status, is_unique,
                        created_at)
    OVERRIDING SYSTEM VALUE VALUES
    (1, 'MUG', 'Mug', 1450, 'EUR', 5, 2, 'available', false, now()),
    (2, 'VASE', 'Vase', 12500, 'EUR', 1, 1, 'reserved', true, now());
INSERT INTO orders (id, order_number, email, token_version, currency, total_minor, state,
                    fulfilment, stock_shortage, needs_review, disputed, is_extended, expires_at,
                    created_at)
    OVERRIDING SYSTEM VALUE VALUES
    (1, 'A', 'a@example.com', 1, 'EUR', 2900, 'pending', 'none', false, false, false, false,
     now(), now());
INSERT INTO reservation (order_id, item_id, quantity, state) VALUES (1, 1, 2, 'active');
INSERT INTO payment (id, order_id, provider, state, settles, amount_minor, currency, provider_key,
                     provider_payment_id, received_minor, created_at)
    OVERRIDING SYSTEM VALUE VALUES
    (1, 1, 'stripe', 'succeeded', true, 2900, 'EUR', 'test-pi-1', 'pi_1', 2900, now()),
    (2, 1, 'stripe', 'open', false, 2900, 'EUR', 'test-pi-2', 'pi_2', 0, now()),
    (3, 1, 'stripe', 'succeeded', false, 2900, 'EUR', 'test-pi-3', 'pi_3', 2900, now());
INSERT INTO webhook_event (provider, event_id, type, body, state, occurred_at, received_at)
    VALUES ('stripe', 'evt_1', 'payment_intent.succeeded', '{}', 'received', now(), now());
INSERT INTO notification (order_id, kind, recipient, state, message_id, created_at)
    VALUES (1, 'order_paid', 'a@example.com', 'staged', 'm', now());
INSERT INTO job (kind, dedupe_key, payload, queue, state, run_at, attempts, max_attempts, rung_at,
                 created_at)
    VALUES ('payments.close', 'close:1', '{}', 'payments', 'ready', now(), 0, 12, now(), now());
INSERT INTO idempotency_key (caller, endpoint, key, fingerprint, status, created_at)
    VALUES ('guest:a', 'orders.create', 'k', 'f', 201, now());
"""

REFUSED = [
    ("uq_payment_live", "UPDATE payment SET state = 'created', settles = false WHERE id = 1"),
    ("uq_payment_settles", "UPDATE payment SET settles = true WHERE id = 3"),
    ("ck_payment_settles_only_succeeded", "UPDATE payment SET settles = true WHERE id = 2"),
    ("ck_payment_state", "UPDATE payment SET state = 'paid' WHERE id = 2"),
    ("ck_payment_amount_positive", "UPDATE payment SET amount_minor = 0 WHERE id = 2"),
    ("uq_payment_provider_key", "UPDATE payment SET provider_key = 'test-pi-1' WHERE id = 2"),
    ("uq_payment_provider_provider_payment_id", "UPDATE payment SET provider_payment_id = 'pi_1'"),
    ("ck_stock_item_held_within_stock", "UPDATE stock_item SET held = 6 WHERE id = 1"),
    ("ck_stock_item_held_within_stock", "UPDATE stock_item SET held = -1 WHERE id = 1"),
    ("ck_stock_item_unique_stock", "UPDATE stock_item SET stock = 2, status = 'archived'"),
    (_STATUS, "UPDATE stock_item SET held = 0 WHERE id = 2"),
    (_STATUS, "UPDATE stock_item SET status = 'available' WHERE id = 2"),
    (_STATUS, "UPDATE stock_item SET status = 'sold' WHERE id = 2"),
    (_STATUS, "UPDATE stock_item SET status = 'sold', stock = 0, held = 0 WHERE id = 1"),
    ("ck_reservation_quantity_positive", "UPDATE reservation SET quantity = 0"),
    ("ck_orders_state", "UPDATE orders SET state = 'open'"),
    ("ck_orders_closing_only_pending", "UPDATE orders SET state = 'paid', closing = 'expired'"),
    ("ck_orders_total_positive", "UPDATE orders SET total_minor = 0"),
    ("ck_job_lease", "UPDATE job SET state = 'leased'"),
    ("ck_clock_offset_one_row", "INSERT INTO clock_offset (id, shift) VALUES (2, '1 day')"),
]

TWICE = {
    "webhook_event": "uq_webhook_event_provider_event_id",
    "notification": "uq_notification_order_id_kind_recipient_copy",
    "reservation": "uq_reservation_order_id_item_id",
    "job": "uq_job_dedupe_key",
    "idempotency_key": "uq_idempotency_key_caller_endpoint_key",
}

ALLOWED = [
    "UPDATE payment SET state = 'cancelled' WHERE id = 2",
    "UPDATE stock_item SET stock = 0, held = 0, status = 'sold' WHERE id = 2",
    "UPDATE stock_item SET held = 0, status = 'available' WHERE id = 2",
    "UPDATE stock_item SET held = 5 WHERE id = 1",
    "UPDATE orders SET state = 'paid'",
]


@pytest.fixture
def shop(migrated: Database) -> Iterator[psycopg.Connection]:
    """A legal little shop in a transaction that is rolled back."""
    with psycopg.connect(migrated.address) as connection:
        connection.execute(SHOP.encode())
        yield connection
        connection.rollback()


@pytest.mark.parametrize(("constraint", "statement"), REFUSED)
def test_what_must_never_be_is_refused(
    shop: psycopg.Connection, constraint: str, statement: str
) -> None:
    with pytest.raises(psycopg.IntegrityError) as refused:
        shop.execute(statement.encode())
    assert refused.value.diag.constraint_name == constraint


@pytest.mark.parametrize(("table", "constraint"), TWICE.items())
def test_what_happens_once_is_stored_once(
    shop: psycopg.Connection, table: str, constraint: str
) -> None:
    columns = ", ".join(Base.metadata.tables[table].columns.keys()[1:])  # all but the id
    with pytest.raises(psycopg.errors.UniqueViolation) as refused:
        shop.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table}".encode())
    assert refused.value.diag.constraint_name == constraint


@pytest.mark.parametrize("statement", ALLOWED)
def test_what_may_be_is_taken(shop: psycopg.Connection, statement: str) -> None:
    assert shop.execute(statement.encode()).rowcount


# --- migrations of a shop that is open ---


def _sql(database: Database, revisions: str) -> str:
    """What `flask db upgrade <revisions> --sql` prints."""
    with database.app.app_context():
        config: Config = current_app.extensions["migrate"].migrate.get_config(str(MIGRATIONS))
        config.output_buffer = io.StringIO()
        command.upgrade(config, revisions, sql=True)
        return str(config.output_buffer.getvalue())


def _complaints(sql: str) -> str:
    """What squawk says of a migration; the time-outs are set by `migrations/env.py`."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("squawk")),
            "--exclude=require-lock-timeout,require-statement-timeout",
            "--pg-version=15",
            "--reporter=gcc",
        ],
        input=sql,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout if done.returncode else ""


def test_no_migration_stops_an_open_shop(migrated: Database) -> None:
    """The first one is exempt: it creates everything, on an empty database."""
    later = [script for script in SCRIPTS.walk_revisions() if script.down_revision]
    complaints = [
        _complaints(_sql(migrated, f"{script.down_revision}:{script.revision}")) for script in later
    ]
    assert "".join(complaints) == ""


def test_a_migration_that_would_stop_the_shop_is_seen(migrated: Database) -> None:
    first = _sql(migrated, SCRIPTS.get_bases()[0])
    assert "CREATE TABLE orders" in first

    assert _complaints("BEGIN; ALTER TABLE orders ADD COLUMN note text; COMMIT;") == ""
    assert "adding-required-field" in _complaints("ALTER TABLE orders ADD COLUMN n text NOT NULL;")
    assert "require-concurrent-index-creation" in _complaints("CREATE INDEX i ON orders (email);")
