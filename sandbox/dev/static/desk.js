// The desk: what runs behind the shop, refreshed all the time, and the buttons that break it.

import { at, element, seconds, show, update } from "/shop/static/dom.js";
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

const calm = { providers: [] };
const act = (path, body = {}, method = "POST") => ask(path, { method, body });

const row = (...cells) => element("tr", {}, ...cells);
const cell = (content, properties) => element("td", properties ?? {}, content);
const number = (content) => cell(String(content), { class: "number" });
const rows = (name, made, words) =>
  update(
    document.querySelector(`[data-rows=${name}]`),
    ...(made.length ? made : [row(cell(words, { class: "empty", colspan: 5 }))]),
  );

function payment(name, each) {
  const acts = each.acts.map((path) => element("button", { type: "button", "data-act": `${name}/${path}` }, path.split("/").at(-1).replaceAll("_", " ")));
  if (each.page) acts.unshift(element("a", { href: each.page }, "the buyer's page"));
  return row(
    cell(each.order_id ? element("a", { href: `/shop/orders/${each.order_id}/` }, String(each.order_id)) : "–"),
    cell(name),
    number(each.amount),
    cell([each.status.toLowerCase().replaceAll("_", " "), ...each.notes].join(", ")),
    cell(element("span", {}, ...acts.flatMap((one) => [one, " "]))),
  );
}

function weather(providers) {
  const told = Object.entries(providers).filter(([, provider]) => provider);
  const isCalm = ([, provider]) => provider.mode === "normal" && !provider.faults;
  const stormy = told.filter((each) => !isCalm(each));
  if (!stormy.length) return told.length ? [MODES.normal] : [];
  return stormy.map(([name, { mode, faults }]) => `${name}: ${MODES[mode]}${faults ? " The provider has faults to come." : ""}`);
}

function draw(seen) {
  const { providers, mails } = seen;
  const known = Object.entries(providers).filter(([, provider]) => provider);
  rows("processes", Object.entries(seen.processes).map(([name, pid]) =>
    row(cell(name), number(pid), cell(element("button", { type: "button", "data-kill": name, "aria-label": `Kill ${name}` }, "kill -9")))));
  rows("queues", seen.queues.map((queue) =>
    row(cell(queue.queue), number(queue.ready), number(queue.leased), number(queue.dead), number(`${queue.oldest_due_seconds.toFixed(0)} s`))));
  at("orders").textContent = `Orders: ${Object.entries(seen.orders).map(([state, count]) => `${count} ${state}`).join(", ") || "none"}.`;
  const payments = known.flatMap(([name, provider]) => provider.payments.map((each) => payment(name, each)));
  rows("payments", payments, known.length ? "No payment yet. Start one in the shop." : "No provider answers, or all are the real ones.");
  const deliveries = known.flatMap(([, provider]) => provider.deliveries);
  rows("deliveries", deliveries.map((each) => row(cell(each.type), cell(each.status), number(each.attempts.length))), "No event yet.");
  rows("mails", (mails ?? []).map((each) => row(cell(element("a", { href: each.address }, each.subject)), cell(each.to))), mails ? "No mail yet." : "The mail server does not answer, or is a real one.");
  const words = weather(providers);
  calm.providers = Object.keys(providers);
  at("weather").className = `left ${words[0] === MODES.normal ? "good" : "wait"}`;
  at("weather").textContent = words.join(" ");
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
  else await act(`providers/${path}`, JSON.parse(body ?? "{}"));
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
  for (const name of calm.providers) {
    await act(`providers/${name}/faults`, {}, "DELETE");
    await act(`providers/${name}/deliveries`, { mode: "normal" });
  }
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
