// What is in the basket, kept in this browser, and how it is shown.

import { element, picture } from "./dom.js";
import { sum, written } from "./money.js";

const KEPT = "basket";

export const lines = () => JSON.parse(localStorage.getItem(KEPT) ?? "[]");

function keep(changed) {
  localStorage.setItem(KEPT, JSON.stringify(changed));
  dispatchEvent(new Event("basket"));
}

addEventListener("storage", (event) => event.key === KEPT && dispatchEvent(new Event("basket")));

export function add(item, quantity) {
  const had = lines().find((line) => line.sku === item.sku)?.quantity ?? 0;
  const { sku, title, unit_price, currency, is_unique } = item;
  const wanted = is_unique ? 1 : had + quantity;
  const line = { sku, title, unit_price, currency, is_unique, quantity: wanted };
  keep([...lines().filter((other) => other.sku !== sku), line]);
}

const changeLine = (sku, change) =>
  keep(lines().map((line) => (line.sku === sku ? { ...line, ...change } : line)));

export const setQuantity = (sku, quantity) => changeLine(sku, { quantity });
export const setPrice = (sku, unit_price) => changeLine(sku, { unit_price });
export const remove = (sku) => keep(lines().filter((line) => line.sku !== sku));
export const empty = () => keep([]);
export const count = () => lines().reduce((so_far, line) => so_far + line.quantity, 0);

const pieces = (quantity) => Array.from({ length: Math.max(10, quantity) }, (_, index) => index + 1);

function quantityOf(line, changed) {
  if (!changed || line.is_unique) return element("span", { class: "quiet" }, `${line.quantity} ×`);
  const options = pieces(line.quantity).map((number) =>
    element("option", { value: number, selected: number === line.quantity }, String(number)),
  );
  const change = (event) => changed(line.sku, Number(event.target.value));
  return element("select", { "aria-label": `Quantity of ${line.title}`, change }, ...options);
}

// A list of the lines with their sum; with `changed` and `removed` they can be changed.
export function table({ changed, removed, of = lines(), notes = {} } = {}) {
  const rows = of.map((line) =>
    element(
      "li",
      { "data-sku": line.sku },
      picture(line.sku, "", { class: "thumbnail" }),
      element(
        "div",
        {},
        element("a", { class: "title", href: `/shop/items/${encodeURIComponent(line.sku)}/` }, line.title),
        element("div", { class: "of-line" }, quantityOf(line, changed), element("span", { class: "quiet" }, written(line.unit_price, line.currency))),
        notes[line.sku] ?? null,
        removed
          ? element("button", { type: "button", class: "plain", "aria-label": `Remove ${line.title}`, click: () => removed(line.sku) }, "Remove")
          : null,
      ),
      element("span", { class: "amount" }, written(sum([line]), line.currency)),
    ),
  );
  return element(
    "div",
    { class: "lines" },
    element("ul", {}, ...rows),
    element("p", { class: "total" }, element("span", {}, "Total"), element("strong", {}, written(sum(of), of[0].currency))),
  );
}
