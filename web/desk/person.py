"""What needs a person, in one place; empty means that everybody can go home."""

from flask import Response

from models import attention
from models.session import transaction
from web.desk.frame import allows, blueprint, desk_time, render


@blueprint.get("/desk/person/")
@allows("viewer")
def person() -> Response:
    """Everything that stands still until somebody looks."""
    with transaction() as session:
        needed = attention.needed(session)
        number = attention.counted(session)
        clock = desk_time(session)
    return render("person.html", needed=needed, clock=clock, waiting=number, most=attention.MOST)
