"""Stand-ins for VK, Telegram, Odnoklassniki and ПОС: real processes, documented formats.

They know nothing of workers.platforms: what both sides agree on is the platforms' documentation.
"""
