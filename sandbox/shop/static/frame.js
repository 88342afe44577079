// What every page shares: the number of things in the basket.

import { count } from "./lines.js";
import { at } from "./dom.js";

function draw() {
  const number = count();
  at("count").textContent = number;
  at("count").hidden = number === 0;
}

draw();
addEventListener("basket", draw);
