"""A demo shop: pages whose scripts know the product by its public API alone, as any front end."""

import re
from pathlib import Path

from flask import Blueprint, Response, make_response, render_template, send_from_directory

import settings
from web.headers import PAGE_POLICY

_PICTURES = Path(__file__).with_name("static") / "pictures"
_PICTURED = re.compile(r"[A-Z0-9-]{1,64}")

blueprint = Blueprint(
    "shop",
    __name__,
    url_prefix="/shop",
    static_folder="static",
    template_folder="templates",
)


@blueprint.get("/")
def gallery() -> Response:
    return _page("gallery")


@blueprint.get("/items/<sku>/")
def item(sku: str) -> Response:
    return _page("item", sku=sku)


@blueprint.get("/basket/")
def basket() -> Response:
    return _page("basket")


@blueprint.get("/checkout/")
def checkout() -> Response:
    return _page("checkout")


@blueprint.get("/orders/")
def orders() -> Response:
    return _page("orders")


@blueprint.get("/orders/<int:order_id>/")
def order(order_id: int) -> Response:
    return _page("order", order_id=order_id)


@blueprint.get("/pictures/<sku>.svg")
def picture(sku: str) -> Response:
    """The picture of a product, or of one that has none."""
    name = f"{sku}.svg"
    drawn = _PICTURED.fullmatch(sku) and (_PICTURES / name).exists()
    return send_from_directory(_PICTURES, name if drawn else "unknown.svg", max_age=3600)


def _page(name: str, **shown: object) -> Response:
    """A page; besides us its scripts may speak to one address, the payment provider's."""
    provider = settings.current().stripe_api_base
    page = render_template(f"shop/{name}.html", page=name, provider=provider, **shown)
    response = make_response(page)
    response.headers["Content-Security-Policy"] = f"{PAGE_POLICY}; connect-src 'self' {provider}"
    return response


@blueprint.app_context_processor
def _name_of_the_shop() -> dict[str, str]:
    return {"shop_name": settings.current().shop_name}
