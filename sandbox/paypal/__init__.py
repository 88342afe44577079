"""A stand-in for PayPal: a process of its own that an adapter talks to over HTTP.

`python -m sandbox.paypal --port 0` prints its address and serves until SIGTERM. It speaks OAuth,
Orders v2, Payments v2, the disputes and the events that a shop needs, with `PayPal-Request-Id`,
unique invoice ids and webhooks signed by a certificate of its own. `/` is a page for people,
`/checkoutnow?token=…` the one where a buyer approves. Under `/_control/`, without a key, tests
steer it with JSON, as `sandbox.provider.control` has it for every provider, and:

    POST   orders/<id>/           approve {funding} | cancel
    POST   authorizations/<id>/   capture | void
    POST   captures/<id>/         refund {amount} | complete | deny | reverse | dispute {stage}
    POST   refunds/<id>/          complete | fail
    POST   disputes/<id>/         win | lose | cancel
    GET    ledger                 {orders, authorizations, captures, refunds, disputes}

docs/sandbox-paypal.md tells what each of them means.
"""
