// Paying as a browser does: in the provider's form, by the public key and the client secret, or on
// the provider's own page.

import * as api from "./api.js";
import { element, seconds } from "./dom.js";

export const CARDS = [
  { name: "pm_card_visa", brand: "Visa", last4: "4242", fate: "Goes through" },
  { name: "pm_card_chargeDeclined", brand: "Visa", last4: "0002", fate: "Is declined" },
  { name: "pm_card_authenticationRequired", brand: "Visa", last4: "3184", fate: "Your bank asks you first (3-D Secure)" },
  { name: "pm_card_processing", brand: "Visa", last4: "1109", fate: "Your bank takes its time" },
];

// An event can call a payment open before the provider's answer has brought its secret.
const isToCome = ({ status, client_secret: secret, redirect_url: page }) =>
  !secret && !page && ["waiting", "created", "sent", "unknown", "open", "requires_action"].includes(status);
const PATIENCE = 8;

export class Declined extends Error {}

const NAMES = { klarna: "Klarna", paypal: "PayPal" };
export const nameOf = (method) => NAMES[method] ?? "Your bank";

const radio = (value, isChosen, name, fate) =>
  element(
    "label",
    { class: "card" },
    element("input", { type: "radio", name: "card", value, checked: isChosen }),
    element("span", { class: "number" }, name),
    element("span", { class: "fate" }, fate),
  );

// Radio buttons for the test cards, and for each way that leads to a provider's own page.
export function choice(options, chosen = CARDS[0].name) {
  const cards = CARDS.map((card) =>
    radio(card.name, card.name === chosen, `${card.brand} •••• ${card.last4}`, card.fate),
  );
  const pages = options
    .filter(({ flow }) => flow === "redirect")
    .map(({ provider, payment_method: method }) => {
      const value = `${provider}/${method}`;
      return radio(value, value === chosen, nameOf(method), "You approve it on a page of theirs");
    });
  return [...cards, ...pages];
}

// What start-payment is told: a card is named by its token, a page by provider and method.
function wayOf(chosen) {
  const [provider, method] = chosen.split("/");
  return method ? { provider, payment_method: method } : { payment_method: "card" };
}

// Start the payment, or go on with the one that is open, and confirm it with a card or on its page.
// Each question waits so many seconds. Returns the payment's status, or leaves for a page; raises Declined.
export async function pay(orderId, chosen, wait = 10) {
  const payment = await opened(orderId, wait, wayOf(chosen));
  if (payment.redirect_url) {
    location.assign(payment.redirect_url);
    return "requires_action";
  }
  const intent = await confirm(payment, chosen, `${location.origin}/shop/orders/${orderId}/`);
  const page = intent.next_action?.redirect_to_url?.url;
  if (page) location.assign(page);
  return intent.status;
}

async function opened(orderId, wait, way) {
  let payment = await api.startPayment(orderId, wait, way);
  for (let tried = 0; isToCome(payment) && tried < PATIENCE; tried += 1) {
    const watched = payment.status === "open" ? {} : { wait, seen: payment.status };
    payment = await api.payment(orderId, payment.payment_id, watched);
    await seconds(0.2);
  }
  if (!payment.client_secret && !payment.redirect_url) {
    throw new Error("The payment provider does not answer at the moment. Your goods stay held; try again in a little while.");
  }
  return payment;
}

async function confirm(payment, card, back) {
  const provider = document.querySelector("meta[name=provider]").content;
  const intent = payment.client_secret.split("_secret_")[0];
  const body = new URLSearchParams({
    key: payment.publishable_key,
    client_secret: payment.client_secret,
    payment_method: card,
    return_url: back,
  });
  let answer, said;
  try {
    answer = await fetch(`${provider}/v1/payment_intents/${intent}/confirm`, { method: "POST", body });
    said = await answer.json();
  } catch {
    throw new Error("The line to the payment provider broke. Whether you paid shows here in a moment; nothing is charged twice.");
  }
  if (answer.status === 402) throw new Declined(said.error.message);
  if (!answer.ok) throw new Error(said.error?.message ?? "The payment provider refused.");
  return said;
}
