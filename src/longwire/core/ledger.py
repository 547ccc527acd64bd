"""What has occurred and is not written yet: occurrences become events, and what repeats is counted.

Adding is cheap, so that a delivery never waits for it; writing is somebody else's work, done now and then.
"""

from datetime import datetime

from longwire.core.event import COUNTED_FOR, Event, Kind, Occurrence

MAX_EVENTS = 20_000

_Key = tuple[Kind, int | None]


class Ledger:
    """Holds events until they are written, and counted ones until they grow no more.

    `first_number` is the number of the next event. At most `max_events` are held: of what comes on top while the
    store cannot be written only the number is kept (`unrecorded`).
    """

    def __init__(self, first_number: int = 1, max_events: int = MAX_EVENTS) -> None:
        """Begin with nothing."""
        self._next_number = first_number
        self._max_events = max_events
        self._growing: dict[_Key, Event] = {}
        self._changed: dict[int, Event] = {}
        self.unrecorded = 0

    def add(self, occurrence: Occurrence) -> bool:
        """Make an event of an occurrence, or count it in the one it repeats; return whether there is a new event."""
        key = (occurrence.kind, occurrence.connection_id)
        event = self._growing.get(key)
        is_new = event is None or occurrence.at >= event.first.at + COUNTED_FOR
        if event is None or is_new:
            if len(self._changed) >= self._max_events:
                self.unrecorded += occurrence.count
                return False
            event = Event(self._next_number, occurrence, occurrence.at)
            self._next_number += 1
            if occurrence.kind.is_counted:
                self._growing[key] = event
        event.add(occurrence)
        self._changed[event.number] = event
        return is_new

    def take(self) -> list[Event]:
        """Return every event that has changed since it was taken last; each holds its whole count."""
        taken = list(self._changed.values())
        self._changed.clear()
        return taken

    def put_back(self, events: list[Event]) -> None:
        """Take back what could not be written."""
        self._changed = {event.number: event for event in events} | self._changed

    def forget_old(self, now: datetime) -> None:
        """Let go of counted events that grow no more, or of all when there are many; what is not written stays."""
        if len(self._growing) >= self._max_events:
            self._growing.clear()
        self._growing = {
            key: event for key, event in self._growing.items() if now < event.first.at + COUNTED_FOR
        }
