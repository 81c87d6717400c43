"""What Odnoklassniki's error codes mean for a reply (apiok.ru/en/dev/errors).

Codes above 151 stand in the older edition of that page only; they are kept as it gives them.
"""

from workers.platforms.clients import Postponed, RefusalReason, Refused

# Seconds until another attempt makes sense; the platform names none.
PAUSES = {
    2: 60.0,  # SERVICE: temporarily unavailable
    7: 600.0,  # ACTION_BLOCKED: temporarily, for the current user
    8: 60.0,  # FLOOD_BLOCKED
    9: 600.0,  # IP_BLOCKED: suspicious activity
    11: 3600.0,  # LIMIT_REACHED: calls
}

REASONS = {
    106: RefusalReason.MESSAGE_DELETED,  # PARAM_ENTITY_ID
    110: RefusalReason.PROFILE_CLOSED,  # PARAM_USER_ID
    140: RefusalReason.MESSAGE_DELETED,  # PARAM_MESSAGE_ID
    141: RefusalReason.MESSAGE_DELETED,  # PARAM_COMMENT_ID
    300: RefusalReason.MESSAGE_DELETED,  # NOT_FOUND
    454: RefusalReason.TEXT_REFUSED,  # CENSOR_MATCH
    455: RefusalReason.PROFILE_CLOSED,  # FRIEND_RESTRICTION: blacklisted, or a private profile
    456: RefusalReason.COMMENTS_CLOSED,  # GROUP_RESTRICTION
    458: RefusalReason.PROFILE_CLOSED,  # PRIVACY_RESTRICTION
    601: RefusalReason.TEXT_REFUSED,  # text limit reached
    700: RefusalReason.MESSAGE_DELETED,  # COMMENT_NOT_FOUND
    702: RefusalReason.MESSAGE_DELETED,  # COMMENT_NOT_ACTIVE
    705: RefusalReason.MESSAGE_DELETED,  # CHAT_NOT_FOUND
    706: RefusalReason.MESSAGE_DELETED,  # MESSAGE_NOT_ACTIVE
}

# The platform broke down while it worked on the call: nobody knows how far it came.
UNKNOWN = frozenset({1, 9999})


def failure(code: int) -> Refused | Postponed:
    """What to raise; never for a code that is UNKNOWN.

    Any other is a token that ended (102, 103), a right that is missing (10, 50, 200), a call that
    is wrong (3, 4, 100): somebody must look.
    """
    told = f"OK {code}"
    if code in PAUSES:
        return Postponed(PAUSES[code], told)
    return Refused(REASONS.get(code, RefusalReason.CHANNEL_UNAVAILABLE), told)
