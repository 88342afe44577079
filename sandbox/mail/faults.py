"""What can be made to go wrong at the mail server, each fault for a while or for good."""

import threading
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["refuse", "reject_data", "reject_recipient", "cut_after_data", "delay"]

_TYPES: dict[str, tuple[type, ...]] = {
    "kind": (str,),
    "times": (int,),
    "address": (str,),
    "seconds": (int, float),
}


class FaultError(Exception):
    """A fault was asked for that does not exist or lacks what it needs."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """`times` counts down to nothing (None: until cleared); `seconds` is the length of a delay.

    - `refuse`: nobody listens at the SMTP port
    - `reject_data`: 451 to the content
    - `reject_recipient`: 550 to `address`, or to every recipient without one
    - `cut_after_data`: the mail is kept, then the line is cut before the 250
    - `delay`: the answer to the content takes `seconds` longer
    """

    kind: Kind
    times: int | None = None
    address: str | None = None
    seconds: float = 0


def parse(body: object) -> Fault:
    """A fault from its JSON form, or FaultError."""
    if not isinstance(body, dict) or body.get("kind") not in get_args(Kind):
        raise FaultError(f"`kind` is one of {', '.join(get_args(Kind))}.")
    for name, value in body.items():
        if not isinstance(value, _TYPES.get(name, ())):
            raise FaultError("Beside `kind`: `times` (integer), `address` (string), `seconds`.")
    return Fault(**body)


class Faults:
    """The faults in force; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def all(self) -> list[Fault]:
        with self._lock:
            return list(self._faults)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def take(self, kind: Kind, address: str | None = None) -> Fault | None:
        """The first fault of this kind that concerns `address`, counted as used once."""
        with self._lock:
            for fault in self._faults:
                if fault.kind == kind and fault.address in (None, address):
                    self._use(fault)
                    return fault
        return None

    def _use(self, fault: Fault) -> None:
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._faults.remove(fault)
