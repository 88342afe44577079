// Elements made without markup: what is put in as text stays text.

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(key, value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

export function show(place, ...children) {
  place.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
  place.removeAttribute("aria-busy");
}

const shown = new WeakMap();

// Show what was made only if it differs from what was made before, so that focus is not lost.
export function update(place, ...children) {
  const made = document.createElement("div");
  show(made, ...children);
  if (shown.get(place) === made.innerHTML) return;
  shown.set(place, made.innerHTML);
  show(place, ...made.childNodes);
}

export const at = (id) => document.getElementById(id);

// So many seconds, or fewer if the signal tells to stop.
export const seconds = (count, signal) =>
  new Promise((done) => {
    const timer = setTimeout(done, count * 1000);
    signal?.addEventListener("abort", () => done(clearTimeout(timer)));
  });

export function picture(sku, description, properties = {}) {
  const src = `/shop/pictures/${encodeURIComponent(sku)}.svg`;
  return element("img", { src, alt: description, width: 800, height: 1000, ...properties });
}
