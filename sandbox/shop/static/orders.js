// The orders of this browser.

import * as api from "./api.js";
import { at, element, picture, show } from "./dom.js";
import { written } from "./money.js";
import { statusName } from "./status.js";

function row(order) {
  const titles = order.items.map((item) => item.product_title).join(", ");
  return element(
    "li",
    {},
    picture(order.items[0].product_sku, "", { class: "thumbnail" }),
    element(
      "div",
      {},
      element("a", { class: "title", href: `/shop/orders/${order.id}/` }, titles),
      element("div", { class: "quiet" }, `${order.order_number} · ${new Date(order.created_at).toLocaleString("en-IE", { dateStyle: "medium", timeStyle: "short" })}`),
      element("span", { class: `left ${order.status}` }, statusName(order)),
    ),
    element("span", { class: "amount" }, written(order.total, order.currency)),
  );
}

const found = await Promise.all(api.knownOrders().slice(0, 30).map((id) => api.order(id).catch(() => null)));
const orders = found.filter(Boolean);
show(
  at("orders"),
  orders.length
    ? element("div", { class: "lines" }, element("ul", {}, ...orders.map(row)))
    : element("p", { class: "quiet" }, "You have ordered nothing in this browser yet."),
);
