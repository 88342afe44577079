// Ten buyers pay while what serves them is killed; then shop, provider and mail server are compared.

import * as api from "/shop/static/api.js";
import { at, element, seconds, show } from "/shop/static/dom.js";
import { pay } from "/shop/static/pay.js";
import { ask, verdict } from "./ask.js";

const BUYERS = 10;
const VICTIMS = ["worker_payments", "worker_mail", "beat", "worker_payments"];
const PAUSE = 0.7;
const WAIT = 1; // long waits would leave no connection of the browser for the killing
const PATIENCE = 120;
const ADDRESS = { name: "Ada Byrne", line1: "12 Quay Street", city: "Galway", postal_code: "H91 E9R2", country: "IE" };

let began;

function tell(words, tone = "") {
  const time = `${((Date.now() - began) / 1000).toFixed(1)} s`;
  at("story").append(element("li", { class: tone }, element("time", {}, time), element("span", {}, words)));
}

async function buy(item, email) {
  const line = { product_sku: item.sku, product_title: item.title, unit_price: item.unit_price, quantity: 1 };
  const order = { guest_email: email, currency: item.currency, items: [line], shipping_address: ADDRESS };
  const placed = await api.place(order, api.newKey());
  for (let tried = 1; ; tried += 1) {
    try {
      return await pay(placed.id, "pm_card_visa", WAIT);
    } catch (error) {
      if (tried === 10) throw error;
      await seconds(1);
    }
  }
}

async function kill() {
  for (const name of VICTIMS) {
    await seconds(PAUSE);
    const { killed } = await ask(`processes/${name}/kill/`, { method: "POST", body: {} }).catch(() => ({}));
    if (killed) tell(`kill -9 ${killed} (${name})`, "killed");
  }
}

async function settled(email) {
  for (let waited = 0; ; waited += 0.5) {
    const found = await ask(`proof/?email=${encodeURIComponent(email)}`).catch(() => null);
    const isDone = found?.orders.paid === BUYERS && found.mails >= BUYERS;
    if (isDone || waited > PATIENCE) return found;
    await seconds(0.5);
  }
}

function prove(found, promises) {
  const count = (words, number) =>
    element("tr", {}, element("th", { scope: "row" }, words), element("td", { class: `number verdict ${number === BUYERS ? "" : "bad"}` }, String(number)));
  show(
    at("proof").tBodies[0],
    count("Orders placed", BUYERS),
    count("Paid, says the shop", found?.orders.paid ?? 0),
    count("Charged, says the provider", found?.charges ?? 0),
    count("Confirmed by mail", found?.mails ?? 0),
    element("tr", {}, element("th", { scope: "row" }, "The auditor"), element("td", { class: "number" }, verdict(promises))),
  );
  at("proof").hidden = false;
}

export async function storm() {
  began = Date.now();
  show(at("story"));
  at("proof").hidden = true;
  const items = await api.catalog();
  const item = items.find((each) => !each.is_unique && each.available >= BUYERS);
  if (!item) throw new Error(`Nothing has ${BUYERS} left: make reset.`);
  const email = `storm-${crypto.randomUUID().slice(0, 8)}@example.com`;
  tell(`${BUYERS} buyers order “${item.title}” and pay`);
  const buyers = Array.from({ length: BUYERS }, () => buy(item, email));
  await Promise.all([Promise.allSettled(buyers), kill()]);
  tell("All have paid at the provider; waiting for the shop to know");
  const found = await settled(email);
  tell("Settled");
  const { found: promises } = await ask("audit/", { method: "POST", body: {} }).catch(() => ({ found: null }));
  prove(found, promises);
}
