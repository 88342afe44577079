"""Headers that every answer carries, unless the view has set its own."""

from flask import Flask, Response, request

PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of our own HTML pages: no inline script, nothing from elsewhere."""

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    # With "no-referrer" browsers would send "Origin: null" with the forms of our own pages.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_TWO_YEARS = {"Strict-Transport-Security": "max-age=63072000; includeSubDomains"}


def sent(name: str) -> str | None:
    """What the client sent under this name; werkzeug raises, and catches, what is not there."""
    found: str | None = request.environ.get(f"HTTP_{name.upper().replace('-', '_')}")
    return found


def register(app: Flask, *, https_only: bool) -> None:
    """Add the headers to every answer of `app`; `https_only` is a promise for two years."""
    everywhere = EVERYWHERE | (_TWO_YEARS if https_only else {})
    headers = {name.lower(): (name, value) for name, value in everywhere.items()}

    @app.after_request
    def add_headers(response: Response) -> Response:
        own = {name.lower() for name, _ in response.headers}
        response.headers.extend([each for name, each in headers.items() if name not in own])
        return response
