// The states of an order in the words of a shop.

const NAMES = {
  pending: "Waiting for payment",
  paid: "Paid",
  shipped: "On its way",
  delivered: "Delivered",
  expired: "Not paid in time",
  cancelled: "Cancelled",
  partially_refunded: "Partly refunded",
  refunded: "Refunded",
};

export function statusName(order) {
  if (order.status === "pending" && order.closing) return "Being closed";
  return NAMES[order.status] ?? order.status;
}
