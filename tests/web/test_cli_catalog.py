"""The catalogue from the command line: one item, many as CSV, legacy pieces."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient

from tests import shop

Run = Callable[..., Result]
HEAD = "sku,title,unit_price,currency,stock,is_unique,status"
SKU = "TSHIRT-BLUE"


@pytest.fixture
def run(app: Flask) -> Run:
    return lambda *words, **given: app.test_cli_runner().invoke(
        args=["catalog", *(str(word) for word in words)], **given
    )


@pytest.fixture
def take(run: Run) -> Run:
    """Imports these lines, below the usual header."""
    return lambda *lines, words=(): run("import", "-", *words, input="\n".join([HEAD, *lines]))


def items() -> list[Any]:
    return shop.sql(
        "SELECT sku, title, unit_price_minor, stock, held, is_unique, status"
        " FROM stock_item ORDER BY sku"
    )


def journal(what: str) -> list[Any]:
    return shop.sql(
        "SELECT sku, from_state, to_state, who, why FROM journal"
        " JOIN stock_item ON stock_item.id = subject_id"
        " WHERE subject = 'stock_item' AND what = :what ORDER BY sku",
        what=f"stock_item.{what}",
    )


def exported(run: Run, *words: str) -> list[dict[str, str]]:
    done = run("export", *words)
    assert done.exit_code == 0, done.output
    return list(csv.DictReader(io.StringIO(done.stdout)))


# --- one item ---


def test_an_item_is_created_priced_restocked_counted_and_archived(run: Run) -> None:
    words = ("create", "VASE", "--title", "Vase", "--price", "125", "--currency", "EUR")
    said = run(*words, "--stock", 3).stdout
    assert said == "VASE is available: 3 in stock, 0 held, 125.00 EUR.\n"
    for command in [
        ("price", "VASE", "99.50", "--why", "sale"),
        ("restock", "VASE", 4),
        ("adjust", "VASE", "--by", -1, "--why", "broken"),
        ("adjust", "VASE", "--to", 5, "--why", "counted"),
        ("archive", "VASE", "--why", "ugly"),
    ]:
        assert run(*command).exit_code == 0, command
    assert items() == [("VASE", "Vase", 9950, 5, 0, False, "archived")]
    reasons = "SELECT stock_delta, reason, who FROM stock_movement ORDER BY id"
    assert shop.sql(reasons) == [
        (3, "created", "cli"),
        (4, "adjusted: delivered", "cli"),
        (-1, "adjusted: broken", "cli"),
        (-1, "adjusted: counted", "cli"),
    ]
    assert run("archive", "VASE", "--undo", "--why", "pretty").stdout.startswith(
        "VASE is available"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "=A", "--title", "A", "--price", "1", "--currency", "EUR"), "sku: Must be"),
        (("create", "A", "--title", "A", "--price", "1.234", "--currency", "EUR"), "unit_price:"),
        (("create", SKU, "--title", "A", "--price", "1", "--currency", "EUR"), "is taken"),
        (("price", SKU, "1.999", "--why", "x"), "unit_price: EUR has 2 decimals"),
        (("price", "NONE", "1", "--why", "x"), "NONE: there is none"),
        (("adjust", SKU, "--by", "-8", "--why", "x"), "between 3, which are held, and 1000000000"),
        (("adjust", SKU, "--why", "x"), "Send either delta or stock"),
        (("archive", "NONE", "--why", "x"), "NONE: there is none"),
        (("show", "NONE"), "NONE: there is none"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    run: Run, client: FlaskClient, words: tuple[str, ...], said: str
) -> None:
    shop.make_item()
    shop.place(client, quantity=3)
    refused = run(*words)
    assert refused.exit_code == 1
    assert said in refused.stderr
    assert items() == [(SKU, "Blue T-shirt", 1999, 10, 3, False, "available")]


def test_items_are_listed_and_shown(run: Run, client: FlaskClient) -> None:
    shop.make_item()
    shop.make_item("VASE", 1, title="A vase", is_unique=True)
    shop.place(client, quantity=3)

    _head, *lines = run("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["VASE", SKU]
    (found,) = json.loads(run("list", "--json", "--available", "--q", "shirt").stdout)
    assert (found["stock"], found["held"], found["available"]) == (10, 3, 7)
    assert [each["sku"] for each in json.loads(run("list", "--json", "--unique").stdout)] == [
        "VASE"
    ]
    assert json.loads(run("list", "--json", "--archived").stdout) == []
    shown = json.loads(run("show", SKU, "--json").stdout)
    assert [each["reason"] for each in shown["movements"]] == ["held", "created"]
    assert "held_delta" in run("show", SKU).stdout


# --- many items ---


def test_a_file_creates_and_changes_items_and_leaves_the_others(
    run: Run, take: Run, client: FlaskClient
) -> None:
    shop.make_item("KEPT")
    shop.make_item("SAME", 5, title="Same", unit_price_minor=100)
    shop.make_item()
    shop.place(client, quantity=3)
    done = take(
        f"{SKU},Azure T-shirt,24.99,EUR,4,false,archived",
        "SAME,Same,1.00,EUR,5,,",
        'NEW,"Cup, blue",3.5,EUR,7,no,available',
        "PIECE,Bronze,1600,EUR,1,TRUE,",
    )
    assert done.stdout == "2 created, 1 changed, 1 stay as they are.\n", done.output
    assert items() == [
        ("KEPT", "Blue T-shirt", 1999, 10, 0, False, "available"),
        ("NEW", "Cup, blue", 350, 7, 0, False, "available"),
        ("PIECE", "Bronze", 160000, 1, 0, True, "available"),
        ("SAME", "Same", 100, 5, 0, False, "available"),
        (SKU, "Azure T-shirt", 2499, 4, 3, False, "archived"),
    ]
    assert journal("stock") == [(SKU, "10", "4", "cli", "imported")]
    assert journal("status") == [(SKU, "available", "archived", "cli", "imported")]
    assert journal("unit_price_minor") == [(SKU, "1999", "2499", "cli", "imported")]
    assert len(journal("created")) == 5


def test_a_dry_run_says_what_would_be_and_does_nothing(take: Run) -> None:
    shop.make_item()
    before = items()
    lines = (f"{SKU},Azure,24.99,EUR,4,,", "NEW,Cup,3.50,EUR,7,,")
    done = take(*lines, words=["--dry-run"])
    assert done.stdout == "1 would be created, 1 would be changed, 0 stay as they are.\n"
    assert items() == before
    refused = take(f"{SKU},Azure,24.99,USD,4,,", words=["--dry-run"])
    assert (refused.exit_code, items()) == (1, before)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("=A,Cup,3.50,EUR,7,,", "sku: Must be"),
        ("A,,3.50,EUR,7,,", "title: Must be"),
        ("A,Cup,3.505,EUR,7,,", "unit_price: Has more than the 2 decimals of EUR."),
        ('A,Cup,"3,50",EUR,7,,', "unit_price: Must be a price"),
        ("A,Cup,3.50,EURO,7,,", "currency: Must be a currency"),
        ("A,Cup,3.50,EUR,-7,,", "stock: Must be a whole number"),
        ("A,Cup,3.50,EUR,7.0,,", "stock: Must be a whole number"),
        ("A,Cup,3.50,EUR,9999999999,,", "stock: Must be a whole number"),
        ("A,Cup,3.50,EUR,,,", "stock: A new item needs it."),
        ("A,Cup,3.50,EUR,2,true,", "stock: Must be 0 or 1 of a one-of-a-kind piece."),
        ("A,Cup,3.50,EUR,2,perhaps,", "is_unique: Must be true or false."),
        ("A,Cup,3.50,EUR,2,,lost", "status: Must be one of"),
        ("A,Cup,3.50,EUR,2", "Has another number of cells"),
        ("A,Cup,3.50,EUR,2,,,more", "Has another number of cells"),
        ("OK,Cup,3.50,EUR,2,,", "sku: OK stands in row 2 already."),
        (f"{SKU},Cup,3.50,USD,7,,", f"currency: {SKU} is sold in EUR for good."),
        (f"{SKU},Cup,3.50,EUR,2,,", f"stock: 3 of {SKU} are held."),
        (f"{SKU},Cup,3.50,EUR,,true,", "is_unique: A one-of-a-kind piece has a stock of 0 or 1."),
    ],
)
def test_a_row_that_cannot_be_is_named_and_nothing_is_changed(
    take: Run, client: FlaskClient, line: str, said: str
) -> None:
    shop.make_item()
    shop.place(client, quantity=3)
    before = items()
    refused = take("OK,Cup,3.50,EUR,7,,", line)
    assert refused.exit_code == 1
    assert f"row 3: {said}" in refused.stderr, refused.output
    assert "Nothing was changed: 1 rows are at fault." in refused.stderr
    assert items() == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "lacks currency, sku, stock, title, unit_price"),
        ("sku,title,unit_price,currency,stock,colour\n", "no column: colour"),
        (f'{HEAD}\n"A', "unexpected end of data"),
        (f"{HEAD}\nA,\xe9,1,EUR,1,,".encode("latin-1"), "codec can't decode"),
    ],
)
def test_what_is_no_such_file_is_refused(run: Run, text: Any, said: str) -> None:
    refused = run("import", "-", input=text)
    assert refused.exit_code == 1
    assert said in refused.stderr


def test_an_empty_cell_leaves_the_units_as_they_are(take: Run) -> None:
    shop.make_item()
    take(f"{SKU},Azure,24.99,EUR,,,")
    assert items() == [(SKU, "Azure", 2499, 10, 0, False, "available")]


def test_a_piece_that_is_held_stays_reserved_whatever_a_file_says_of_its_status(
    take: Run, client: FlaskClient
) -> None:
    shop.make_item(units=1)
    shop.place(client, quantity=1)
    take(f"{SKU},Azure,19.99,EUR,1,true,available")
    assert items() == [(SKU, "Azure", 1999, 1, 1, True, "reserved")]
    shop.let_pass(minutes=16)
    shop.sweep()
    assert items() == [(SKU, "Azure", 1999, 1, 0, True, "available")]


def test_what_was_exported_can_be_imported_and_is_the_same(
    run: Run, take: Run, client: FlaskClient
) -> None:
    shop.make_item("TEA", 3, title='Thé; 100 % “vert”, 5"', currency="JPY", unit_price_minor=500)
    shop.make_item("PIECE", 1, title="Bronze", is_unique=True)
    shop.make_item("FORMULA", 1, title="=HYPERLINK(1)")
    shop.make_item("QUOTE", 1, title="'+1 quoted")
    shop.place(client, sku="PIECE", quantity=1)
    text = run("export").stdout
    assert run("import", "-", input=f"\ufeff{text}").stdout == (
        "0 created, 0 changed, 4 stay as they are.\n"
    )
    before = items()
    shop.sql("UPDATE stock_item SET title = 'x' WHERE NOT is_unique RETURNING id")
    assert run("import", "-", input=text).stdout == "0 created, 3 changed, 1 stay as they are.\n"
    assert items() == before


def test_no_cell_of_an_export_is_a_formula(run: Run) -> None:
    for number, title in enumerate(["=1+1", "+1", "-1", "@SUM(A1)", "\uff1d1", "'=1"]):
        shop.make_item(f"A{number}", title=title)
    cells = {row["sku"]: row["title"] for row in exported(run)}
    assert cells["A0"] == "'=1+1"
    assert all(cell.startswith("'") for cell in cells.values())
    assert cells["A5"] == "''=1"


def test_archived_items_are_exported_by_themselves_to_a_file(run: Run, tmp_path: Any) -> None:
    shop.make_item()
    run("archive", SKU, "--why", "x")
    assert exported(run) == []
    file = tmp_path / "archived.csv"
    assert run("export", file, "--archived").stderr.endswith("1 items.\n")
    assert file.read_text().splitlines() == [
        HEAD,
        f"{SKU},Blue T-shirt,19.99,EUR,10,false,archived",
    ]


# --- legacy pieces ---


def test_legacy_pieces_are_shown_first_and_marked_when_it_is_meant(
    run: Run, client: FlaskClient
) -> None:
    shop.make_item("ART-1", 1)
    shop.make_item("ART-2", 1)
    shop.make_item("ART-3", 0)
    shop.make_item("MUG", 1)
    shop.make_item()
    shop.place(client, sku="ART-2", quantity=1)
    before = items()

    would = run("mark-unique", "--stock", 1, "--sku-like", "ART-%").stdout
    assert would.endswith("2 items would become one-of-a-kind. Nothing was changed: add --yes.\n")
    assert "ART-1" in would
    assert items() == before

    done = run("mark-unique", "--stock", 1, "--sku-like", "ART-%", "--yes", "--why", "old")
    assert done.stdout == "2 items are one-of-a-kind now.\n"
    assert [(sku, unique, status) for sku, *_, unique, status in items()] == [
        ("ART-1", True, "available"),
        ("ART-2", True, "reserved"),
        ("ART-3", False, "available"),
        ("MUG", False, "available"),
        (SKU, False, "available"),
    ]
    assert journal("is_unique") == [
        (sku, "false", "true", "cli", "old") for sku in ("ART-1", "ART-2")
    ]
    assert run("mark-unique", "--stock", 0, "--yes").stdout.startswith("1 items are")
    assert ("ART-3", True, "sold") in [(sku, unique, status) for sku, *_, unique, status in items()]


def test_a_marked_piece_that_is_held_is_sold_once_or_free_again(
    run: Run, client: FlaskClient
) -> None:
    shop.make_item(units=1)
    shop.place(client, quantity=1)
    run("mark-unique", "--yes")
    assert items()[0][3:] == (1, 1, True, "reserved")
    shop.let_pass(minutes=16)
    shop.sweep()
    assert items()[0][3:] == (1, 0, True, "available")


def test_no_more_than_the_limit_is_marked(run: Run) -> None:
    for number in range(3):
        shop.make_item(f"A{number}", 1)
    assert run("mark-unique", "--limit", 2, "--yes").stdout == "2 items are one-of-a-kind now.\n"
    assert [unique for *_, unique, _status in items()] == [True, True, False]
