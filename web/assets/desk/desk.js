// What the pages do beyond htmx: choose all, count down, keep an open form as it is, send once.
"use strict";

document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-all]")) return;
  for (const box of event.target.form.querySelectorAll('input[name="order"]')) {
    box.checked = event.target.checked;
  }
});

// A form that is being filled in stays while the page around it is renewed.
const keep = (details) => details.toggleAttribute("hx-morph-skip", details.open);
document.addEventListener("toggle", (event) => {
  if (event.target.matches("details.act")) keep(event.target);
}, true);
document.querySelectorAll("details.act").forEach(keep);

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || form.hasAttribute("hx-post")) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
// Back again from another page: the forms are new.
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

const pad = (number) => String(number).padStart(2, "0");
const opened = Date.now();
const places = document.querySelectorAll("[data-countdown]");
const tick = () => {
  for (const place of places) {
    const left = Math.max(0, Number(place.dataset.countdown) - Math.floor((Date.now() - opened) / 1000));
    const [hours, minutes, seconds] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60];
    place.textContent = left ? `${hours ? `${hours}:${pad(minutes)}` : minutes}:${pad(seconds)}` : "over";
  }
};
if (places.length) {
  tick();
  setInterval(tick, 1000);
}
