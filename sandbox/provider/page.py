"""Pages for people: safe to show what others wrote."""

from urllib.parse import urlsplit

from flask import Response, make_response, render_template


def page(template: str, *, back: str | None = None, **values: object) -> Response:
    """A page of this template; a form on it may lead on to the site of `back`."""
    response = make_response(render_template(template, **values))
    # A browser holds the redirect that follows a form against form-action, too.
    target = urlsplit(back or "")
    shop = f" {target.scheme}://{target.netloc}" if back else ""
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action 'self'{shop}"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store"
    return response
