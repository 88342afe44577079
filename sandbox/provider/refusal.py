"""An answer other than success, in whatever words a provider says it."""

from abc import abstractmethod
from typing import Any

Document = dict[str, Any]


class Refusal(Exception):  # noqa: N818 - the field's own word
    """A call that is answered with an error; nothing that was done before it was raised remains."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status

    @property
    def said(self) -> str:
        """Why, in words for people."""
        return str(self)

    @abstractmethod
    def body(self) -> Document:
        """The answer's body, in the provider's shape."""
