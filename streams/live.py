"""Live values: a constructor takes one in place of a setting that is read once."""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class Live(Generic[T]):
    """The value that is in force. Made with one value it is a constant until ``replace`` is called."""

    __slots__ = ("_by_tenant", "_subscribers", "value")

    def __init__(self, value: T) -> None:
        self.value = value
        self._by_tenant: Mapping[str, T] = {}
        self._subscribers: list[Callable[[T], None]] = []

    def of_tenant(self, tenant: str) -> T:
        """The value that is in force for this tenant: another one only while a change is staged by tenant."""
        return self._by_tenant.get(tenant, self.value) if self._by_tenant else self.value

    def subscribe(self, subscriber: Callable[[T], None]) -> Callable[[], None]:
        """Call ``subscriber(value)`` at every change from now on; it must not raise. The result ends that."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def replace(self, value: T, by_tenant: Mapping[str, T] | None = None) -> None:
        """Put another value in force; the same one again is no change. ``by_tenant``: tenants with a value of their own."""
        self._by_tenant = by_tenant or {}
        if value == self.value:
            return
        self.value = value
        for subscriber in tuple(self._subscribers):
            subscriber(value)
