"""A route that does not say whom it allows is never served."""

import pytest
from flask import Flask

from web import admission
from web.api import Blueprint


def test_a_view_that_does_not_say_whom_it_allows_is_refused_where_it_stands() -> None:
    blueprint = Blueprint("forgetful", __name__, description="Forgetful.")
    with pytest.raises(TypeError, match="forgetful_view does not say whom it allows"):

        @blueprint.route("/")
        def forgetful_view() -> str:
            return ""


def test_a_view_that_got_past_the_blueprint_is_refused_at_start_up(product: Flask) -> None:
    app = Flask("forgetful")
    app.add_url_rule("/", endpoint="open.door", view_func=lambda: "")

    admission.refuse_undeclared(app, open_blueprints={"open", "static"})
    with pytest.raises(TypeError, match=r"open\.door"):
        admission.refuse_undeclared(app, open_blueprints={"static"})
    admission.refuse_undeclared(product, open_blueprints={"docs"})


@pytest.mark.parametrize(("who", "scope"), [("clerk", None), ("owner", None), ("clerk", "orders")])
def test_a_declaration_that_forgets_keys_or_misspells_a_scope_is_refused(
    who: admission.Who, scope: str | None
) -> None:
    with pytest.raises(ValueError, match="scope"):
        admission.access(who, scope)
