// The desk: what runs behind the shop, refreshed all the time, and the buttons that break it.

import { at, element, seconds, show, update } from "/shop/static/dom.js";
import { written } from "/shop/static/money.js";
import { ask, verdict } from "./ask.js";
import { storm } from "./storm.js";

const EVERY = 1.5;
const MODES = {
  normal: "Webhooks come at once.",
  drop: "Every webhook is lost.",
  double: "Webhooks come several times.",
  delay: "Webhooks come late.",
  reorder: "Webhooks come late and in any order.",
  hold: "Webhooks are held back.",
};

const act = (path, body = {}, method = "POST") => ask(path, { method, body });

const row = (...cells) => element("tr", {}, ...cells);
const cell = (content, properties) => element("td", properties ?? {}, content);
const number = (content) => cell(String(content), { class: "number" });
const rows = (name, made, words) =>
  update(
    document.querySelector(`[data-rows=${name}]`),
    ...(made.length ? made : [row(cell(words, { class: "empty", colspan: 5 }))]),
  );

const minor = (amount, currency) => {
  const places = new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits;
  return written(amount / 10 ** places, currency);
};

function payment(each) {
  const currency = each.currency.toUpperCase();
  const notes = [each.refunded ? `${minor(each.refunded, currency)} refunded` : null, each.disputed ? "disputed" : null];
  return row(
    cell(each.order_id ? element("a", { href: `/shop/orders/${each.order_id}/` }, each.order_id) : "–"),
    number(minor(each.amount, currency)),
    cell([each.status.replaceAll("_", " "), ...notes.filter(Boolean)].join(", ")),
    cell(
      element(
        "span",
        {},
        ...each.acts.flatMap((path) => [element("button", { type: "button", "data-act": path }, path.split("/").at(-1).replaceAll("_", " ")), " "]),
      ),
    ),
  );
}

function draw(seen) {
  const { provider, mails } = seen;
  rows("processes", Object.entries(seen.processes).map(([name, pid]) =>
    row(cell(name), number(pid), cell(element("button", { type: "button", "data-kill": name, "aria-label": `Kill ${name}` }, "kill -9")))));
  rows("queues", seen.queues.map((queue) =>
    row(cell(queue.queue), number(queue.ready), number(queue.leased), number(queue.dead), number(`${queue.oldest_due_seconds.toFixed(0)} s`))));
  at("orders").textContent = `Orders: ${Object.entries(seen.orders).map(([state, count]) => `${count} ${state}`).join(", ") || "none"}.`;
  rows("payments", (provider?.payments ?? []).map(payment), provider ? "No payment yet. Start one in the shop." : "The provider does not answer, or is the real one.");
  rows("deliveries", (provider?.deliveries ?? []).map((each) => row(cell(each.type), cell(each.status), number(each.attempts.length))), "No event yet.");
  rows("mails", (mails ?? []).map((each) => row(cell(element("a", { href: each.address }, each.subject)), cell(each.to))), mails ? "No mail yet." : "The mail server does not answer, or is a real one.");
  const isCalm = provider?.mode === "normal" && !provider.faults;
  at("weather").className = `left ${isCalm ? "good" : "wait"}`;
  at("weather").textContent = provider ? `${MODES[provider.mode]}${provider.faults ? " The provider has faults to come." : ""}` : "";
}

async function look() {
  try {
    draw(await ask("sight/"));
    show(at("trouble"));
  } catch (error) {
    show(at("trouble"), element("p", { class: "notice" }, `Something is down (${error.message}). It is being started again.`));
  }
}

async function pressed(button) {
  const { act: path, body, kill } = button.dataset;
  if (kill) await act(`processes/${kill}/kill/`);
  else await act(`provider/${path}`, JSON.parse(body ?? "{}"));
  await look();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-act], [data-kill]");
  if (!button) return;
  button.disabled = true;
  await pressed(button).catch((error) => show(at("trouble"), element("p", { class: "notice bad" }, error.message)));
  button.disabled = false;
});

at("calm").addEventListener("click", async () => {
  await act("provider/faults", {}, "DELETE");
  await act("provider/deliveries", { mode: "normal" });
  await look();
});

at("audit").addEventListener("click", async () => {
  show(at("verdict"), "Asking …");
  const { found } = await act("audit/").catch(() => ({ found: null }));
  show(at("verdict"), verdict(found));
});

at("storm").addEventListener("click", async (event) => {
  event.target.disabled = true;
  await storm().catch((error) => show(at("trouble"), element("p", { class: "notice bad" }, error.message)));
  event.target.disabled = false;
});

for (;;) {
  if (!document.hidden) await look();
  await seconds(EVERY);
}
