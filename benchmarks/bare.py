"""What the product is held against: Flask with nothing around it, on the same server."""

import os
import threading
from typing import Any

import psycopg
from flask import Flask, jsonify, request

_MAKE = "CREATE TABLE IF NOT EXISTS bare_event (id bigserial PRIMARY KEY, body jsonb NOT NULL)"
_KEEP = "INSERT INTO bare_event (body) VALUES (%s::jsonb)"


def create_app() -> Flask:
    """One endpoint that answers JSON, and one that keeps what it is sent in one row."""
    app, own = Flask("bare"), threading.local()
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as database:
        database.execute("SELECT pg_advisory_lock(1)")  # of two workers one is first
        database.execute(_MAKE)

    @app.get("/healthz")
    def answer() -> Any:
        return jsonify(status="ok")

    @app.post("/orders/webhook/")
    def keep() -> Any:
        if not hasattr(own, "database"):
            own.database = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
        own.database.execute(_KEEP, (request.get_data(as_text=True),))
        return jsonify(status="ok")

    return app
