"""The web of `make run`: the product's own, and a demo shop that is its client."""

from flask import Flask, redirect, url_for
from werkzeug.wrappers import Response

import settings
import web
from sandbox import shop


def create_app() -> Flask:
    """The product with `/shop/`; raises `SettingsError` in production."""
    if settings.current().is_production:
        raise settings.SettingsError(["APP_ENV: the demo shop is not for production"])
    app = web.create_app()
    app.register_blueprint(shop.blueprint)
    app.add_url_rule("/", "front_door", _front_door)
    return app


def _front_door() -> Response:
    return redirect(url_for("shop.gallery"))
