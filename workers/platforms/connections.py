"""The clients of the sources this node is connected to, made from its secrets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock

from regions.sources import ADDRESSES, FILE, Access, read_access
from workers.platforms.clients import Client, Secret
from workers.platforms.odnoklassniki import OdnoklassnikiClient
from workers.platforms.signed import SignedClient
from workers.platforms.telegram import TelegramClient
from workers.platforms.vk import VkClient


@dataclass
class Connections:
    """One client for each source, made when it is first needed; a changed file is read anew."""

    home: Path
    group_of: Callable[[str], str]  # of a source: its id on its platform
    _read_at: float = -1.0
    _access: Mapping[str, Access] = field(default_factory=dict)
    _clients: dict[str, Client] = field(default_factory=dict)
    _lock: RLock = field(default_factory=RLock)  # threads ask at once

    def access(self, source: str) -> Access | None:
        """Raises SourcesInvalid."""
        file = self.home / FILE
        with self._lock:
            changed_at = file.stat().st_mtime if file.is_file() else 0.0
            if changed_at != self._read_at:
                self._access, self._read_at = read_access(self.home), changed_at
                self.close()
            return self._access.get(source)

    def client(self, channel: str, source: str) -> Client | None:
        """None where there is no token to answer with, or no address."""
        with self._lock:
            access = self.access(source)
            if access is None or not access.token:
                return None
            if source not in self._clients:
                made = _client(channel, source, access, self.group_of)
                if made is None:
                    return None
                self._clients[source] = made
            return self._clients[source]

    def close(self) -> None:
        """Close the connections of all clients."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()


def _client(
    channel: str, source: str, access: Access, group_of: Callable[[str], str]
) -> Client | None:
    address = access.address or ADDRESSES.get(channel, "")
    token = Secret(access.token)
    if not address:
        return None
    if channel == "VK":
        reading = Secret(access.reading_token) if access.reading_token else None
        group = int(group_of(source))
        return VkClient(address, group_id=group, token=token, reading_token=reading)
    if channel == "TELEGRAM":
        return TelegramClient(address, token=token)
    if channel == "OK":
        return OdnoklassnikiClient(address, token=token)
    return SignedClient(address, source=source, key=token)
