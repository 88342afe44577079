"""Room on each page of a table for the next versions of its rows.

PostgreSQL writes a changed row anew, and puts it wherever there is room. Where its own page has
none, that is a page of any age, which has to be read, and after each checkpoint logged whole.
"""

from sqlalchemy import DDL, event

from models.base import Base


def leave(model: type[Base], percent: int) -> None:
    """Have so much of each page of the model's table left free for rows that change."""
    sql = f"ALTER TABLE {model.__tablename__} SET (fillfactor = {100 - percent})"
    kept = DDL(sql)  # type: ignore[no-untyped-call]
    event.listen(Base.metadata, "after_create", kept)
