"""Headers that every answer carries, unless the view has set its own."""

from flask import Flask, Response

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


def register(app: Flask, *, https_only: bool) -> None:
    """Add the headers to every answer of `app`; `https_only` is a promise for two years."""
    headers = EVERYWHERE | (_TWO_YEARS if https_only else {})

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        return response
