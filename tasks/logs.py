"""One line an event on standard error, for web, workers and beat alike."""

import logging

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configure(level: str) -> None:
    """Have the root logger write; a handler that is there already stays the only one."""
    logging.basicConfig(level=level.upper(), format=_FORMAT)
    # A line for each task and each HTTP call of the SDK says nothing that the journal does not.
    for chatty in ("celery", "stripe", "urllib3", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
