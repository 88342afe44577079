"""Every way in which the API says no: the table that code, documentation and tests share."""

from typing import NamedTuple


class Kind(NamedTuple):
    """What is always the same about one code: its status, its title, and what a client can do."""

    status: int
    title: str
    hint: str


PROBLEMS: dict[str, Kind] = {
    "bad_request": Kind(
        400, "Bad request", "Compare the request with the documentation of this endpoint."
    ),
    "malformed_json": Kind(
        400,
        "The body is not JSON",
        "Send one JSON document in UTF-8, at most 1000 levels deep, no name twice in an object.",
    ),
    "invalid_body": Kind(
        400,
        "The body is not valid",
        "Each entry of errors names a field and its fault.",
    ),
    "missing_field": Kind(400, "A field is missing", "Add the fields that errors points to."),
    "unknown_field": Kind(
        400, "A field is not known here", "Check the spelling, or leave the field out."
    ),
    "invalid_field": Kind(400, "A field is not valid", "See errors for what each field takes."),
    "invalid_parameter": Kind(
        400,
        "A query parameter or header is not valid",
        "See errors for what each takes.",
    ),
    "items_empty": Kind(400, "The order has no items", "Send at least one item."),
    "too_many_items": Kind(400, "The order has too many items", "Split it into several orders."),
    "invalid_quantity": Kind(
        400, "A quantity is not valid", "Send a JSON integer, neither a string nor a fraction."
    ),
    "invalid_price": Kind(
        400,
        "A price is not valid",
        'Send a plain decimal like "19.99", with no more decimals than the currency has.',
    ),
    "invalid_email": Kind(
        400, "An e-mail address is not valid", "Send one like guest@example.com."
    ),
    "unknown_currency": Kind(
        400, "The currency is not known", "Send a code of ISO 4217 in capitals, like EUR."
    ),
    "unknown_country": Kind(
        400, "The country is not known", "Send a two-letter code of ISO 3166 in capitals, like IE."
    ),
    "unknown_provider": Kind(
        400, "The payment provider is not known", "Leave provider out for the shop's default."
    ),
    "guest_email_required": Kind(
        400, "A guest must leave an e-mail address", "Send guest_email, or sign in."
    ),
    "idempotency_key_invalid": Kind(
        400, "The Idempotency-Key is not valid", "Send 1 to 255 visible ASCII characters."
    ),
    "idempotency_key_required": Kind(
        400,
        "An Idempotency-Key is required",
        "Send one that nobody can guess: by it a repetition is told from a second request.",
    ),
    "weak_password": Kind(
        400,
        "The password would be guessed",
        "Take one of at least 10 characters that is not in any list, such as four words.",
    ),
    "invalid_signature": Kind(
        400,
        "The webhook is not signed by the provider",
        "Check the signing secret, the clock, and that no proxy changes the body.",
    ),
    "malformed_event": Kind(
        400,
        "The webhook is signed but is no event",
        "Send the provider's event as it is, with the API version that the docs name.",
    ),
    "invalid_credentials": Kind(
        401, "The credentials are not valid", "Check the name, the password or the key."
    ),
    "invalid_key": Kind(
        401, "The API key is not valid", "It may be mistyped, expired or revoked: make a new one."
    ),
    "not_signed_in": Kind(401, "Nobody is signed in", "Sign in at /auth/login/ first."),
    "unauthorized_origin": Kind(
        403, "Writes from this origin are not allowed", "Send them from a page of the shop."
    ),
    "role_too_low": Kind(403, "Your role may not do this", "Ask a clerk or a manager to do it."),
    "scope_missing": Kind(
        403, "The API key is not good for this", "Use a key with the scope that detail names."
    ),
    "not_found": Kind(
        404, "Not found", "Check the address, and that the caller may see what it names."
    ),
    "method_not_allowed": Kind(
        405, "The method is not allowed here", "Use one of the methods in the Allow header."
    ),
    "price_changed": Kind(
        409, "A price has changed", "Show the customer the new prices and send the order again."
    ),
    "out_of_stock": Kind(
        409, "Not enough in stock", "Lower the quantity or remove the items that are named."
    ),
    "being_bought": Kind(
        409,
        "Someone else is buying this piece",
        "Try again after Retry-After: the piece may become free, or be sold.",
    ),
    "order_closing": Kind(
        409, "The order is being closed", "Fetch the order to see how it ends, or place a new one."
    ),
    "order_closed": Kind(409, "The order is closed", "Place a new order."),
    "already_paid": Kind(
        409, "The order is paid already", "Fetch the order: nothing is left to pay."
    ),
    "payment_in_progress": Kind(
        409,
        "The money is on its way",
        "Fetch the payment: until it has ended, no other can be started.",
    ),
    "not_paid": Kind(409, "The order is not paid", "Only what is paid is shipped."),
    "not_shipped": Kind(409, "The goods have not left", "Ship the order first."),
    "already_delivered": Kind(409, "The goods have arrived", "Nothing is left to ship."),
    "already_refunded": Kind(
        409, "All of it was given back", "Nothing is to be shipped; ask the customer."
    ),
    "order_disputed": Kind(
        409, "The charge is disputed", "Wait for the end of the dispute before anything is shipped."
    ),
    "order_stock_shortage": Kind(
        409, "Not all of it is in stock", "Clear the shortage first: restock, or refund."
    ),
    "order_needs_review": Kind(
        409, "A person must look at the order first", "Read its timeline, then release the review."
    ),
    "not_capturable": Kind(
        409,
        "No money is reserved for this order",
        "Fetch the payment and its order: it may be captured, cancelled or too late.",
    ),
    "not_refundable": Kind(
        409, "There is no money to give back", "Fetch the payment: status and refunded say why."
    ),
    "refund_blocked": Kind(
        409,
        "The payment is disputed",
        "The customer's bank has the money or may get it; answer the dispute at the provider.",
    ),
    "not_replayable": Kind(
        409, "Nothing can come of this event", "See its reason for why it was left alone."
    ),
    "changed_meanwhile": Kind(
        409, "Somebody else was faster", "Look at what they did, and decide again."
    ),
    "refund_too_large": Kind(
        409, "More than is left of the payment", "Give back at most what refundable says."
    ),
    "sku_taken": Kind(
        409, "There is an item with this SKU", "Change that item, or take another SKU."
    ),
    "impossible_stock": Kind(
        409,
        "The item cannot have so many units",
        "Keep at least what is held, and of a one-of-a-kind piece at most one: see least and most.",
    ),
    "request_in_progress": Kind(
        409,
        "A request with this Idempotency-Key is under way",
        "Repeat the same request after Retry-After to get its answer.",
    ),
    "too_many_keys": Kind(
        409, "There are too many API keys", "Revoke those that nobody uses: 20 may be in force."
    ),
    "job_not_retryable": Kind(
        409,
        "The job cannot be retried",
        "Only what is dead or cancelled, and not pruned, is tried anew.",
    ),
    "job_not_cancellable": Kind(
        409, "The job cannot be cancelled", "Only what waits or is dead can be called off."
    ),
    "body_too_large": Kind(413, "The body is too large", "Send less."),
    "unsupported_media_type": Kind(
        415,
        "The body must be JSON",
        "Send the body as JSON with the header Content-Type: application/json.",
    ),
    "unknown_sku": Kind(422, "A product is not known", "Ask /catalog/ for what is on sale."),
    "wrong_currency": Kind(
        422, "A product is not sold in this currency", "Order in the currency of the catalogue."
    ),
    "amount_too_small": Kind(
        422, "The total is too small to be charged", "Add items: providers have a minimum."
    ),
    "amount_too_large": Kind(
        422, "The total is too large to be charged", "Split it into several orders."
    ),
    "amount_too_fine": Kind(
        422,
        "The amount is finer than can be charged",
        "Providers take this currency in multiples of step only; tell the shop if it is a price.",
    ),
    "payment_not_offered": Kind(
        422,
        "This way to pay is not offered for the order",
        "Take one of offered; /orders/payment-options/ says them too.",
    ),
    "restock_impossible": Kind(
        422,
        "Not so many of these goods can come back",
        "Of each SKU at most what returnable says, or true for all that can.",
    ),
    "scope_not_allowed": Kind(
        422,
        "A key of yours cannot have these scopes",
        "Ask for orders:read and orders:write; the others are for staff.",
    ),
    "idempotency_key_reused": Kind(
        422,
        "The Idempotency-Key belongs to another request",
        "Use a new key for a new request, the same body for a repeated one.",
    ),
    "too_many_requests": Kind(429, "Too many requests", "Slow down; try again after Retry-After."),
    "too_many_open_orders": Kind(
        429,
        "Too many orders are waiting to be paid",
        "Pay or cancel some of them, or let their reservations run out.",
    ),
    "internal_error": Kind(
        500, "Something broke on our side", "Quote request_id when you report it."
    ),
    "busy": Kind(
        503, "The shop is busy", "Try again after Retry-After, with the same Idempotency-Key."
    ),
    "not_ready": Kind(
        503, "This process is not ready", "Send traffic elsewhere until it is; checks says why."
    ),
}
