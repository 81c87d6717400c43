"""VK: the Callback API of a community, and the methods by which it answers."""

from workers.platforms.vk.callback import asks_confirmation, authentic, facts, update_key
from workers.platforms.vk.client import VkClient

__all__ = ["VkClient", "asks_confirmation", "authentic", "facts", "update_key"]
