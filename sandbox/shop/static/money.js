// Money as people read it. Amounts are decimal strings; sums are made of minor units.

const minor = (amount) => BigInt(amount.replace(".", ""));
const decimals = (amount) => amount.split(".")[1]?.length ?? 0;

export function written(amount, currency) {
  return new Intl.NumberFormat("en-IE", { style: "currency", currency }).format(amount);
}

export function sum(lines) {
  const total = lines.reduce((so_far, line) => so_far + minor(line.unit_price) * BigInt(line.quantity), 0n);
  const places = Math.max(0, ...lines.map((line) => decimals(line.unit_price)));
  const digits = total.toString().padStart(places + 1, "0");
  return places ? `${digits.slice(0, -places)}.${digits.slice(-places)}` : digits;
}
