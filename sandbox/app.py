"""The web of `make run`: the product's own, a demo shop that is its client, a desk for trials."""

from flask import Flask, redirect, url_for
from werkzeug.wrappers import Response

import settings
import web
from sandbox import dev, shop


def create_app() -> Flask:
    """The product with `/shop/` and `/dev/`; raises `SettingsError` in production."""
    if settings.current().is_production:
        raise settings.SettingsError(["APP_ENV: the demo shop and its desk are not for production"])
    app = web.create_app()
    app.register_blueprint(shop.blueprint)
    app.register_blueprint(dev.blueprint)
    app.add_url_rule("/", "front_door", _front_door)
    return app


def _front_door() -> Response:
    return redirect(url_for("shop.gallery"))
