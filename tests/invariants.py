"""What must be true of the database after every test: the auditor's own promises."""

from sqlalchemy.orm import Session

from models.audit import CHECKS
from models.audit.check import ALL, moment


def broken(session: Session) -> list[str]:
    """Every promise that the database does not keep, with what breaks it.

    Those about lateness are left out: tests leave work undone and move the clock.
    """
    times = moment(session)
    return [
        f"{check.invariant}: {check.name}: {check.subject} {found.subject_id}: {found.detail}"
        for check in CHECKS
        if not check.is_late
        for found in check.look(session, ALL, times)
    ]
