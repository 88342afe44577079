// One item: what it is, whether it can be had, and into the basket with it.

import * as api from "./api.js";
import { availability } from "./availability.js";
import { at, element, picture, seconds, show } from "./dom.js";
import { add, lines } from "./lines.js";
import { written } from "./money.js";
import { about } from "./stories.js";

const EVERY = 4;
const MOST = 10;
const { sku } = at("main").dataset;

function buying(item) {
  const { text, tone, canBuy } = availability(item);
  const state = element("p", { class: `left ${tone}`, role: "status" }, text);
  if (!canBuy) {
    const why = tone === "wait" ? "Somebody is paying for it. If they do not, it is free again here in a moment." : null;
    return [state, why && element("p", { class: "quiet" }, why)];
  }
  const inBasket = lines().some((line) => line.sku === sku);
  if (item.is_unique && inBasket) {
    return [state, element("p", { class: "actions" }, element("a", { class: "button main", href: "/shop/basket/" }, "In your basket"))];
  }
  return [state, form(item, inBasket)];
}

function form(item, inBasket) {
  const most = item.is_unique ? 1 : Math.min(MOST, item.available);
  const options = Array.from({ length: most }, (_, index) => element("option", { value: index + 1 }, String(index + 1)));
  const submit = (event) => {
    event.preventDefault();
    add(item, Number(new FormData(event.target).get("quantity") ?? 1));
    location.assign("/shop/basket/");
  };
  return element(
    "form",
    { class: "buy", submit },
    item.is_unique
      ? null
      : element("label", {}, "Quantity", element("select", { name: "quantity" }, ...options)),
    element("button", { class: "main", type: "submit" }, inBasket ? "Add more" : "Add to basket"),
  );
}

let shown = "";

async function draw() {
  const item = await api.item(sku);
  const now = JSON.stringify([item.unit_price, availability(item)]);
  if (now === shown) return;
  shown = now;
  const [what, story] = about(sku);
  document.title = `${item.title} · ${document.title.split(" · ").at(-1)}`;
  show(
    at("item"),
    element("div", { class: "frame" }, picture(sku, item.title)),
    element(
      "div",
      { class: "words" },
      element("h1", {}, item.title),
      element("p", { class: "quiet" }, what),
      element("p", { class: "price" }, written(item.unit_price, item.currency)),
      element("p", {}, story),
      element("div", { class: "buying" }, buying(item)),
    ),
  );
}

for (;;) {
  try {
    if (!document.hidden) await draw();
  } catch (problem) {
    show(at("notice"), element("p", { class: "notice bad" }, problem.code === "not_found" ? "There is no such thing here." : problem.message));
    if (problem.code === "not_found") break;
  }
  await seconds(EVERY);
}
