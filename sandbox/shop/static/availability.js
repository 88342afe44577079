// What is left of an item, in the words of a shop.

const FEW = 5;

export function availability(item) {
  if (item.is_unique) {
    if (item.status === "reserved") return { text: "Being bought", tone: "wait", canBuy: false };
    if (item.status === "sold" || item.available < 1) return { text: "Sold", tone: "gone", canBuy: false };
    return { text: "One of a kind", tone: "good", canBuy: true };
  }
  if (item.available < 1) return { text: "Sold out", tone: "gone", canBuy: false };
  if (item.available <= FEW) return { text: `${item.available} left`, tone: "few", canBuy: true };
  return { text: "In stock", tone: "good", canBuy: true };
}
