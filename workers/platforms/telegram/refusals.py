"""What Telegram's errors mean for a reply.

core.telegram.org/bots/api#making-requests documents `error_code` and `parameters`; the descriptions
are those of the Bot API server Telegram publishes (Client.cpp: fail_query_with_error,
check_chat_access, check_message), and may change: what we do not know is a refusal to look at.
"""

from workers.platforms.clients import RefusalReason, Refused

# A part of the description, in small letters, and what it says; the first that fits.
DESCRIPTIONS = (
    ("message to be replied not found", RefusalReason.MESSAGE_DELETED),
    ("replied message not found", RefusalReason.MESSAGE_DELETED),
    ("reply message not found", RefusalReason.MESSAGE_DELETED),
    ("message thread not found", RefusalReason.MESSAGE_DELETED),
    ("topic_deleted", RefusalReason.MESSAGE_DELETED),
    ("topic_closed", RefusalReason.COMMENTS_CLOSED),
    ("not enough rights to send", RefusalReason.COMMENTS_CLOSED),
    ("have no rights to send", RefusalReason.COMMENTS_CLOSED),
    ("chat_write_forbidden", RefusalReason.COMMENTS_CLOSED),
    ("chat_send_plain_forbidden", RefusalReason.COMMENTS_CLOSED),
    ("bot was blocked by the user", RefusalReason.PROFILE_CLOSED),
    ("user is deactivated", RefusalReason.PROFILE_CLOSED),
    ("bot can't initiate conversation", RefusalReason.PROFILE_CLOSED),
    ("private chat not found", RefusalReason.PROFILE_CLOSED),
    ("message is too long", RefusalReason.TEXT_REFUSED),
    ("message text is empty", RefusalReason.TEXT_REFUSED),
    ("text must be non-empty", RefusalReason.TEXT_REFUSED),
    ("text must be encoded", RefusalReason.TEXT_REFUSED),
)


def refusal(code: int, description: str) -> Refused:
    """Any other: a wrong token (401), a bot that was expelled (403), a chat that is not there."""
    told = description.lower()
    found = (reason for part, reason in DESCRIPTIONS if part in told)
    return Refused(next(found, RefusalReason.CHANNEL_UNAVAILABLE), f"Telegram {code}")
