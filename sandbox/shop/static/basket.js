// The basket's page.

import { lines, remove, setQuantity, table } from "./lines.js";
import { at, element, show } from "./dom.js";

function draw() {
  const place = at("basket");
  if (!lines().length) {
    return show(
      place,
      element("p", { class: "quiet" }, "Nothing is in it yet."),
      element("p", {}, element("a", { class: "button", href: "/shop/" }, "To the gallery")),
    );
  }
  return show(
    place,
    table({ changed: (sku, quantity) => setQuantity(sku, quantity), removed: (sku) => remove(sku) }),
    element(
      "p",
      { class: "actions" },
      element("a", { class: "button main", href: "/shop/checkout/" }, "Check out"),
      element("a", { class: "plain", href: "/shop/" }, "Keep looking"),
    ),
  );
}

draw();
addEventListener("basket", draw);
