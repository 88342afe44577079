// Questions to the desk's own address, and how the auditor's answer is shown.

import { element } from "/shop/static/dom.js";

export async function ask(path, { method = "GET", body } = {}) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  const answer = await fetch(`/dev/${path}`, { method, headers, body: body && JSON.stringify(body) });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error?.message ?? said.detail ?? answer.statusText);
  return said;
}

export function verdict(found) {
  if (found === null) return element("span", { class: "verdict bad" }, "The auditor could not be asked.");
  if (!found.length) return element("span", { class: "verdict" }, "Every promise is kept.");
  return element("span", { class: "verdict bad" }, found.map((each) => `${each.promise}: ${each.detail}`).join("; "));
}
