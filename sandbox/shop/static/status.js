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

// What the timeline of an order tells a buyer; the rest of it is for others.
const EVENTS = {
  "order.placed": { pending: "Placed, and its things held for you" },
  "order.closing": { expired: "The time to pay ran out", cancelled: "You called it off" },
  "payment.state": {
    open: "Ready for your card",
    requires_action: "Your bank asks you",
    processing: "Your bank is thinking",
    succeeded: "Your bank has paid",
    cancelled: "The payment was closed",
  },
  "orders.state": { paid: "Paid", expired: "Ended: not paid in time", cancelled: "Cancelled" },
  "orders.fulfilment": { shipped: "Left the house", delivered: "Arrived" },
  "notification.state": { sent: "Mail sent to you" },
  "refund.requested": { requested: "Refund begun" },
  "refund.state": { succeeded: "Refunded", failed: "The refund failed; we are looking at it" },
};

export const events = (order) =>
  order.timeline
    .map(({ at, what, to }) => ({ at, words: EVENTS[what]?.[to] }))
    .filter(({ words }) => words);
