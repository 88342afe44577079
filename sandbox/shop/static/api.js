// Calls of the API. What may be repeated is repeated: a key makes one order of many requests.

import { seconds } from "./dom.js";

const TRIES = 5;
const LATER = new Set(["busy", "request_in_progress", "too_many_requests", "internal_error"]);

const retryAfter = (answer) => Number(answer?.headers.get("Retry-After") ?? 0);

export class Problem extends Error {
  constructor(body, answer) {
    super(body.detail ?? body.title);
    Object.assign(this, body, { retryAfter: retryAfter(answer) });
  }
}

const OFFLINE = {
  code: "offline",
  title: "The shop does not answer",
  detail: "The shop does not answer. Check your connection; nothing is lost.",
};

export const newKey = () => crypto.randomUUID();

async function once(path, { method = "GET", body, headers = {}, signal } = {}) {
  const sent = body === undefined ? {} : { "Content-Type": "application/json" };
  const options = { method, signal, headers: { Accept: "application/json", ...sent, ...headers } };
  if (body !== undefined) options.body = JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    throw error.name === "AbortError" ? error : new Problem(OFFLINE);
  }
  const said = await answer.json().catch(() => ({ ...OFFLINE, status: answer.status }));
  if (!answer.ok) throw new Problem(said, answer);
  return { said, pause: retryAfter(answer) };
}

export async function call(path, options = {}) {
  const isSafe = (options.method ?? "GET") === "GET" || options.headers?.["Idempotency-Key"];
  for (let tried = 1; ; tried += 1) {
    try {
      return await once(path, options);
    } catch (problem) {
      const isForNow = LATER.has(problem.code) || problem.code === "offline";
      if (!isSafe || !isForNow || tried === TRIES) throw problem;
      await seconds(problem.retryAfter || tried / 2);
    }
  }
}

// --- orders of this browser: the session's cookie opens them, or the token of a mail's link ---

const TOKENS = "orders.tokens";
const tokens = () => JSON.parse(localStorage.getItem(TOKENS) ?? "{}");

export const knownOrders = () => Object.keys(tokens()).map(Number).sort((a, b) => b - a);

export function remember(orderId, token) {
  localStorage.setItem(TOKENS, JSON.stringify({ ...tokens(), [orderId]: token }));
}

const asOwner = (orderId) =>
  tokens()[orderId] ? { Authorization: `Bearer ${tokens()[orderId]}` } : {};

export const catalog = async () => {
  const items = [];
  for (let more = true; more; ) {
    const after = items.length ? `&starting_after=${encodeURIComponent(items.at(-1).sku)}` : "";
    const { said } = await call(`/catalog/?limit=100${after}`);
    items.push(...said.data);
    more = said.has_more;
  }
  return items;
};

export const item = async (sku) => (await call(`/catalog/${encodeURIComponent(sku)}/`)).said;

export async function place(order, key) {
  const headers = { "Idempotency-Key": key };
  const { said } = await call("/orders/create/", { method: "POST", body: order, headers });
  remember(said.id, said.token);
  return said;
}

// A look that waits for news of another status than the one seen. A shop in which many wait answers
// at once and says in how many seconds to ask again, which are left to pass here.
async function watch(path, orderId, { wait = 0, seen = "", signal } = {}) {
  const asked = wait ? `?${new URLSearchParams({ wait, ...(seen ? { seen } : {}) })}` : "";
  const { said, pause } = await call(path + asked, { headers: asOwner(orderId), signal });
  await seconds(pause, signal);
  return said;
}

export const order = (orderId, options) => watch(`/orders/${orderId}/`, orderId, options);

export const payment = (orderId, paymentId, options) => watch(`/orders/payments/${paymentId}/`, orderId, options);

export async function cancel(orderId) {
  const headers = { ...asOwner(orderId), "Idempotency-Key": newKey() };
  return (await call(`/orders/cancel/${orderId}/`, { method: "POST", body: {}, headers })).said;
}

// The ways to pay an order, or what a currency and a country have.
export async function paymentOptions({ order: orderId, ...place }) {
  const query = new URLSearchParams(orderId ? { order: orderId } : place);
  const headers = orderId ? asOwner(orderId) : {};
  return (await call(`/orders/payment-options/?${query}`, { headers })).said.options;
}

export async function startPayment(orderId, wait, way) {
  const headers = { ...asOwner(orderId), "Idempotency-Key": newKey(), Prefer: `wait=${wait}` };
  const options = { method: "POST", body: way, headers };
  return (await call(`/orders/start-payment/${orderId}/`, options)).said;
}
