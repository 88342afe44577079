// Checkout: one order from the basket; then its own page takes the payment.

import * as api from "./api.js";
import { at, element, seconds, show } from "./dom.js";
import { empty, lines, remove, setPrice, setQuantity, table } from "./lines.js";
import { sum, written } from "./money.js";
import { choice } from "./pay.js";

const QUEUEING = 3;
const ADDRESS = ["name", "line1", "city", "postal_code", "country"];
const form = at("checkout");
const button = form.querySelector("button.main");
let notes = {};

function draw() {
  if (!lines().length) return location.replace("/shop/basket/");
  show(at("lines"), table({ notes }));
  button.textContent = `Pay ${written(sum(lines()), lines()[0].currency)}`;
  return null;
}

function body() {
  const given = Object.fromEntries(new FormData(form));
  return {
    guest_email: given.guest_email,
    currency: lines()[0].currency,
    items: lines().map((line) => ({
      product_sku: line.sku,
      product_title: line.title,
      unit_price: line.unit_price,
      quantity: line.quantity,
    })),
    shipping_address: Object.fromEntries(ADDRESS.map((name) => [name, given[name]])),
  };
}

// One key for one order, kept over reloads: if the answer was lost, the same order comes back.
function keyOf(order) {
  const wanted = JSON.stringify(order);
  const kept = JSON.parse(sessionStorage.getItem("placing") ?? "{}");
  if (kept.wanted === wanted) return kept.key;
  const key = api.newKey();
  sessionStorage.setItem("placing", JSON.stringify({ wanted, key }));
  return key;
}

function say(tone, ...words) {
  show(at("notice"), element("div", { class: `notice ${tone}` }, ...words));
  at("notice").scrollIntoView({ block: "nearest" });
}

function note(sku, text, offer, act) {
  const click = () => {
    delete notes[sku];
    show(at("notice"));
    act();
  };
  notes[sku] = element(
    "p",
    { class: "note" },
    `${text} `,
    element("button", { type: "button", class: "small", click }, offer),
  );
}

// --- how the shop says no, and what the buyer can do ---

async function outOfStock(problem) {
  for (const [sku, left] of Object.entries(problem.available)) {
    const line = lines().find((each) => each.sku === sku);
    if (left > 0) note(sku, `Only ${left} left.`, `Take ${left}`, () => setQuantity(sku, left));
    else note(sku, await whyGone(line), "Remove", () => remove(sku));
  }
  const isWaiting = Object.values(notes).some((each) => each.textContent.startsWith("Someone"));
  say(
    "bad",
    isWaiting
      ? "Someone else is buying a piece in your basket. If they do not pay, it is free again: try once more in a while, or remove it."
      : "Not all of your basket is there any more.",
  );
}

async function whyGone(line) {
  if (!line.is_unique) return "Sold out.";
  const item = await api.item(line.sku).catch(() => ({ status: "sold" }));
  return item.status === "sold" ? "Sold." : "Someone else is buying it.";
}

function priceChanged(problem) {
  for (const [sku, price] of Object.entries(problem.prices)) setPrice(sku, price);
  say("bad", "Prices have changed since you put these things into your basket. The new ones are shown: look at them and pay if you agree.");
}

function badFields(problem) {
  const names = problem.errors.map((error) => error.pointer?.split("/").at(-1));
  for (const error of problem.errors) {
    const field = form.elements[error.pointer?.split("/").at(-1)];
    if (!field?.setAttribute) continue;
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", `${field.id}-fault`);
    field.after(element("p", { class: "fault", id: `${field.id}-fault` }, error.detail));
  }
  form.elements[names[0]]?.focus?.();
  say("bad", "Please look at the marked fields.");
}

async function refused(problem) {
  if (problem.code === "out_of_stock") await outOfStock(problem);
  else if (problem.code === "price_changed") priceChanged(problem);
  else if (problem.errors?.some((error) => error.pointer)) badFields(problem);
  else say("bad", element("strong", {}, problem.title ?? "That did not work"), " ", problem.hint ?? problem.message);
  if (lines().length) draw();
}

// --- placing ---

async function placed(order) {
  for (let tried = 1; ; tried += 1) {
    try {
      return await api.place(order, keyOf(order));
    } catch (problem) {
      if (problem.code !== "being_bought" || tried === QUEUEING) throw problem;
      say("wait", "Someone else is buying this piece. Waiting to see whether it stays free …");
      await seconds(problem.retryAfter || 1);
    }
  }
}

function forgetFaults() {
  notes = {};
  show(at("notice"));
  for (const fault of form.querySelectorAll(".fault")) fault.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  forgetFaults();
  draw();
  button.disabled = true;
  button.textContent = "Holding your goods …";
  try {
    const order = await placed(body());
    sessionStorage.removeItem("placing");
    sessionStorage.setItem(`pay:${order.id}`, new FormData(form).get("card"));
    removeEventListener("basket", draw);
    empty();
    location.assign(`/shop/orders/${order.id}/`);
  } catch (problem) {
    button.disabled = false;
    draw();
    await refused(problem);
  }
});

async function offer() {
  const place = { currency: lines()[0].currency, country: form.elements.country.value };
  const options = await api.paymentOptions(place).catch(() => []);
  show(at("cards"), choice(options, new FormData(form).get("card") ?? undefined));
}

show(at("cards"), choice([]));
draw();
if (lines().length) {
  offer();
  form.elements.country.addEventListener("change", offer);
}
addEventListener("basket", draw);
