"""What every stand-in for a payment provider does alike.

State in one SQLite database, faults on order, rate limits, webhook deliveries with their retries,
the control surface that tests steer it by, and the process around it. What a provider says and
does is in the package of its name.
"""
