"""The API's own documentation: the OpenAPI document, a page to try it, the table of problems."""

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, make_response, render_template, send_from_directory

from web.api import Api
from web.headers import PAGE_POLICY
from web.problems import PROBLEMS

_SWAGGER_UI = Path(flask_swagger_ui.__file__).with_name("dist")
_OURS = Path(__file__).with_name("assets")


def blueprint(api: Api) -> Blueprint:
    """The pages under /orders; the document holds what is registered when it is asked for."""
    docs = Blueprint(
        "docs",
        __name__,
        url_prefix="/orders",
        static_folder=_SWAGGER_UI,
        static_url_path="/docs/assets",
        template_folder="templates",
    )

    @docs.get("/schema/")
    def schema() -> dict[str, object]:
        document: dict[str, object] = api.spec.to_dict()
        return document

    @docs.get("/docs/")
    def page() -> Response:
        return _page("docs/page.html")

    @docs.get("/docs/problems")
    def problems() -> Response:
        return _page("docs/problems.html", problems=PROBLEMS)

    @docs.get("/docs/page/<path:name>")
    def own_asset(name: str) -> Response:
        return send_from_directory(_OURS, name)

    return docs


def _page(template: str, **shown: object) -> Response:
    response = make_response(render_template(template, **shown))
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response
