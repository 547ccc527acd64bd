"""The bodies that lanes hold in memory until they are sent: bounded for all lanes together."""

BUDGET_BYTES = 64 * 1024 * 1024


class Budget:
    """How many bytes all lanes together may still hold."""

    def __init__(self, free_bytes: int = BUDGET_BYTES) -> None:
        """Begin with nothing held."""
        self.free_bytes = free_bytes


class Bodies:
    """The bodies one lane holds, by delivery."""

    def __init__(self, budget: Budget) -> None:
        """Hold nothing yet."""
        self._budget = budget
        self._held: dict[int, bytes] = {}

    def __contains__(self, delivery_id: int) -> bool:
        """Return whether a body is held."""
        return delivery_id in self._held

    def hold(self, delivery_id: int, body: bytes) -> bool:
        """Hold a body; False when the lanes hold too much already. One that is held already takes no more room."""
        self.release(delivery_id)
        if len(body) > self._budget.free_bytes:
            return False
        self._budget.free_bytes -= len(body)
        self._held[delivery_id] = body
        return True

    def release(self, delivery_id: int) -> bytes | None:
        """Return a body and hold it no longer; None when it was not held."""
        body = self._held.pop(delivery_id, None)
        if body is not None:
            self._budget.free_bytes += len(body)
        return body

    def clear(self) -> None:
        """Hold nothing any more."""
        self._budget.free_bytes += sum(map(len, self._held.values()))
        self._held.clear()
