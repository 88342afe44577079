// One order: it is paid here, and it turns paid by itself when the money is there.

import * as api from "./api.js";
import { at, element, seconds, show, update } from "./dom.js";
import { add, table } from "./lines.js";
import { written } from "./money.js";
import { choice, Declined, nameOf, pay } from "./pay.js";
import { events, statusName } from "./status.js";

const WAIT = 20;
const LIVE = new Set(["waiting", "created", "sent", "unknown", "open", "requires_action", "processing", "authorised"]);
const orderId = Number(at("main").dataset.order);
const view = { order: null, payment: null, options: [], busy: "", trouble: null };

// --- what is told ---

const WORDS = {
  paid: ["Thank you.", "Your order is paid and the things in it are yours. A confirmation is on its way to you."],
  shipped: ["On its way.", "Your order has left the house."],
  delivered: ["Delivered.", "Your order has arrived."],
  refunded: ["Refunded.", "All of the money is on its way back to you."],
  partially_refunded: ["Partly refunded.", "Part of the money is on its way back to you."],
  expired: ["The time ran out.", "The order was not paid in time. Nothing was charged, and its things are free again."],
  cancelled: ["Cancelled.", "The order was called off. Nothing was charged, and its things are free again."],
};

function heading({ order, payment, busy }) {
  if (WORDS[order.status]) return WORDS[order.status];
  if (order.closing === "cancelled") return ["Being cancelled …", "We are closing your payment first, so that nothing can be charged any more."];
  if (order.closing) return ["The time ran out …", "We are closing your payment first, so that nothing can be charged any more."];
  if (busy) return [busy, "One moment. You can leave this page open: it turns paid by itself."];
  if (payment?.status === "processing") return ["Your bank is thinking.", "The money is on its way. This page turns paid by itself."];
  if (payment?.status === "succeeded") return ["Payment received.", "One moment: this page turns paid by itself."];
  if (payment?.status === "authorised") return ["Your bank has agreed.", "The money is reserved and will be taken in a moment."];
  if (payment?.status === "requires_action") return [`${nameOf(payment.payment_method)} has a question.`, "Answer it on the page that you were led to, or pay in another way."];
  return ["Almost yours.", "Your things are held for you. Pay to make them yours."];
}

function left() {
  const remaining = Math.max(0, Math.floor((new Date(view.order.expires_at) - Date.now()) / 1000));
  const [minutes, rest] = [Math.floor(remaining / 60), remaining % 60];
  return remaining ? `, ${minutes}:${String(rest).padStart(2, "0")} left` : ", time is up";
}

const clock = (moment, options) => new Date(moment).toLocaleTimeString("en-IE", options);
const until = ({ expires_at: end }) => element("time", { datetime: end }, clock(end, { timeStyle: "short" }));

const canPay = ({ order, payment, busy }) =>
  order.status === "pending" && !order.closing && !busy && !["processing", "succeeded", "authorised"].includes(payment?.status);

function payForm() {
  const submit = (event) => {
    event.preventDefault();
    attempt(new FormData(event.target).get("card"));
  };
  const amount = written(view.order.total, view.order.currency);
  return element(
    "form",
    { id: "pay", submit },
    element("fieldset", {}, element("legend", {}, "Pay with"), element("div", { class: "cards" }, ...choice(view.options))),
    element("p", { class: "actions" }, element("button", { class: "main", type: "submit" }, `Pay ${amount}`), cancelButton()),
  );
}

const cancelButton = () => element("button", { type: "button", class: "plain", click: callOff }, "Cancel the order");

function offers() {
  const { order, payment } = view;
  if (canPay(view)) return payForm();
  if (order.status === "pending" && payment?.status === "processing") {
    return element("p", {}, "In this sandbox you are the bank: ", element("a", { href: "/dev/#payments" }, "let it go through or refuse it"), ".");
  }
  if (["expired", "cancelled"].includes(order.status)) {
    return element("p", { class: "actions" }, element("button", { class: "main", type: "button", click: orderAgain }, "Put it into the basket again"));
  }
  if (order.status === "pending") return null;
  return element(
    "p",
    { class: "actions" },
    element("a", { class: "button", href: "/shop/" }, "Keep looking"),
    element("a", { class: "plain", href: "/dev/#mails-title" }, "Read the mail"),
  );
}

function goods({ items, currency }) {
  const lines = items.map((item) => ({
    sku: item.product_sku,
    title: item.product_title,
    unit_price: item.unit_price,
    quantity: item.quantity,
    currency,
  }));
  return table({ of: lines });
}

function address({ shipping_address: to, guest_email }) {
  const country = new Intl.DisplayNames("en", { type: "region" }).of(to.country);
  const parts = [to.name, to.line1, `${to.postal_code} ${to.city}`, country, guest_email];
  return element("address", {}, ...parts.filter(Boolean).flatMap((part) => [part, element("br")]));
}

function shipment({ shipment: sent }) {
  if (!sent) return null;
  const number = sent.tracking_number ?? "";
  return element("p", {}, `With ${sent.carrier ?? "a carrier"} `, sent.tracking_url ? element("a", { href: sent.tracking_url, rel: "noreferrer" }, number) : number);
}

function happened(order) {
  const row = ({ at: moment, words }) =>
    element("li", {}, element("time", { datetime: moment }, clock(moment)), element("span", {}, words));
  return [element("h2", {}, "What happened"), element("ul", {}, ...events(order).map(row))];
}

// --- drawing ---

function draw() {
  const { order, trouble } = view;
  const [title, words] = heading(view);
  document.title = `${title} · ${document.title.split(" · ").at(-1)}`;
  const isHeld = order.status === "pending" && !order.closing;
  const top = [
    element("p", { class: "quiet" }, `Order ${order.order_number}`),
    element("h1", { id: "status", "data-status": order.status }, title),
    element("p", { class: "lead" }, words),
    trouble ? element("div", { class: "notice bad", role: "alert" }, trouble) : null,
  ];
  if (at("top") === null) {
    show(
      at("order"),
      element("div", { class: "story" }, element("div", { id: "top", "aria-live": "polite" }), element("div", { id: "held" }), element("div", { id: "offers" }), element("div", { id: "parcel" }), element("div", { id: "events", class: "events" })),
      element("aside", { class: "summary", "aria-labelledby": "summary" }, element("h2", { id: "summary" }, "Your order"), element("div", { id: "goods" })),
    );
    show(at("goods"), goods(order), element("h3", {}, "Delivery"), address(order), element("p", { class: "quiet" }, statusName(order)));
  }
  at("goods").lastElementChild.textContent = statusName(order);
  update(at("top"), ...top);
  update(at("held"), isHeld ? element("p", { class: "held" }, "Held for you until ", until(order), element("strong", { id: "left", "aria-hidden": "true" })) : null);
  update(at("events"), happened(order));
  const offered = canPay(view) ? "pay" : JSON.stringify([order.status, view.payment?.status]);
  if (at("offers").dataset.offered !== offered) {
    at("offers").dataset.offered = offered;
    show(at("offers"), offers());
    show(at("parcel"), shipment(order));
  }
  tick();
}

const tick = () => {
  if (at("left")) at("left").textContent = left();
};

// --- what the buyer does ---

async function attempt(card) {
  Object.assign(view, { busy: "Paying …", trouble: null });
  draw();
  try {
    const status = await pay(orderId, card);
    if (status === "requires_action") return;
    view.busy = status === "processing" ? "Your bank is thinking." : "Payment received.";
  } catch (error) {
    view.busy = "";
    view.trouble = error instanceof Declined ? `${error.message} Nothing was charged. Try another card.` : error.hint ?? error.message;
  }
  await look().catch(() => {});
  draw();
}

async function callOff() {
  Object.assign(view, { busy: "Cancelling …", trouble: null });
  draw();
  try {
    view.order = await api.cancel(orderId);
  } catch (problem) {
    view.trouble = problem.hint ?? problem.message;
  }
  view.busy = "";
  draw();
}

async function orderAgain() {
  for (const line of view.order.items) {
    add(await api.item(line.product_sku), line.quantity);
  }
  location.assign("/shop/basket/");
}

// --- following ---

async function look() {
  const before = view.payment?.status;
  view.order = await api.order(orderId);
  const live = view.order.payments.findLast((payment) => LIVE.has(payment.status) || payment.status === "succeeded");
  view.payment = live ?? null;
  if (view.order.status !== "pending" || view.payment?.status === "processing") view.busy = "";
  if (before === "processing" && view.payment?.status === "open") {
    view.trouble = `${nameOf(view.payment.payment_method)} refused. Nothing was charged. Try another way.`;
  }
}

// Whatever changes first, order or payment, ends both waits.
async function change() {
  const stop = new AbortController();
  const { order, payment } = view;
  const options = { wait: WAIT, signal: stop.signal };
  const waits = [api.order(orderId, { ...options, seen: order.status })];
  if (payment && order.status === "pending") {
    waits.push(api.payment(orderId, payment.payment_id, { ...options, seen: payment.status }));
  }
  try {
    await Promise.race(waits);
  } finally {
    stop.abort();
    await Promise.allSettled(waits);
  }
}

async function follow() {
  for (;;) {
    const began = Date.now();
    try {
      if (document.hidden) await seconds(2);
      else await change();
      await look();
      draw();
    } catch (problem) {
      if (problem.code === "not_found") throw problem;
    }
    if (Date.now() - began < 1000) await seconds(1);
  }
}

function takeToken() {
  const token = location.hash.slice(1);
  if (!token.startsWith("ord_")) return;
  api.remember(orderId, token);
  history.replaceState(null, "", location.pathname);
}

function comeFromBank() {
  const result = new URLSearchParams(location.search).get("redirect_status");
  if (location.search) history.replaceState(null, "", location.pathname);
  if (result === "succeeded") view.busy = "Payment received.";
  if (result !== "failed") return;
  const who = nameOf(view.order.payments.at(-1)?.payment_method);
  view.trouble = `${who} did not confirm the payment. Nothing was charged. Try another way.`;
}

async function begin() {
  takeToken();
  await look();
  comeFromBank();
  if (view.order.status === "pending") view.options = await api.paymentOptions({ order: orderId }).catch(() => []);
  draw();
  setInterval(tick, 1000);
  const card = sessionStorage.getItem(`pay:${orderId}`);
  sessionStorage.removeItem(`pay:${orderId}`);
  if (card && canPay(view)) await attempt(card);
  await follow();
}

begin().catch((problem) => {
  const words = problem.code === "not_found" ? "There is no such order for this browser. The link in your mail opens it." : problem.message;
  show(at("order"));
  show(at("notice"), element("p", { class: "notice bad" }, words));
});
