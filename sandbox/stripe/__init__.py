"""A stand-in for Stripe: a process of its own that the official SDK talks to over HTTP.

`python -m sandbox.stripe --port 0` prints its address and serves until SIGTERM. Under `/v1/` it
speaks API version 2026-10-28.endive: payment intents, charges, refunds, disputes and events, with
idempotency keys, test cards and signed webhooks. `/` is a page for people. Under `/_control/`,
without a key, tests steer it with JSON:

    POST   faults                 {endpoint, fault, status, code, retry_after, seconds, times}
    GET    faults                 those still to come
    DELETE faults                 calls them off, and ends the delays that run
    POST   deliveries             {mode, copies, seconds}
    POST   deliveries/release     sends what mode `hold` has kept back
    GET    deliveries             every delivery with its attempts and the endpoint's answers
    POST   events/<id>/deliver    {copies}: sends now, all at once; the endpoint's answers
    POST   signatures             the headers with which the body would be sent, now
    POST   clock                  {advance_seconds}
    POST   config                 {webhook_url, webhook_secret, refund_seconds, search_lag_seconds,
                                  requests_per_second, thin_events}
    GET    config                 the same, and what is set besides
    DELETE config                 the defaults again, but for the webhook's url and secret
    POST   reset                  forgets everything but the config
    GET    ledger                 {payment_intents, charges, refunds, disputes}, oldest first
    GET    payments?limit=50      the newest, as the page shows them, with the acts that fit each
    GET    requests?field=value   the last 1000 requests, oldest first
    POST   payment_intents/<id>/  pay | decline | authenticate | fail_authentication |
                                  finish_processing | fail_processing | capture | cancel
    POST   charges/<id>/          refund | dispute | warn | review
    POST   refunds/<id>/          succeed | fail
    POST   disputes/<id>/         win | lose

docs/sandbox-stripe.md tells what each of them means.
"""
