// The gallery: everything of the catalogue, as it is now.

import * as api from "./api.js";
import { availability } from "./availability.js";
import { at, element, picture, seconds, show, update } from "./dom.js";
import { written } from "./money.js";
import { about } from "./stories.js";

const EVERY = 4;

function tile(item) {
  const { text, tone } = availability(item);
  return element(
    "li",
    { class: `tile ${tone}`, "data-sku": item.sku },
    element(
      "a",
      { href: `/shop/items/${encodeURIComponent(item.sku)}/` },
      element("span", { class: "frame" }, picture(item.sku, "", { loading: "lazy" })),
      element("span", { class: "title" }, item.title),
      element("span", { class: "quiet" }, about(item.sku)[0]),
      element("span", { class: "price" }, written(item.unit_price, item.currency)),
      element("span", { class: `left ${tone}` }, text),
    ),
  );
}

async function draw() {
  const items = await api.catalog();
  for (const list of document.querySelectorAll("[data-list]")) {
    const isOfPieces = list.dataset.list === "pieces";
    update(list, items.filter((item) => item.is_unique === isOfPieces).map(tile));
  }
  show(at("notice"));
}

for (;;) {
  if (!document.hidden) {
    await draw().catch((problem) => show(at("notice"), element("p", { class: "notice bad" }, problem.message)));
  }
  await seconds(EVERY);
}
