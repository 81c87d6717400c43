"""VK: the Callback API of a community."""

from workers.platforms.vk.callback import asks_confirmation, authentic, facts, update_key

__all__ = ["asks_confirmation", "authentic", "facts", "update_key"]
