"""What VK's error codes mean for a reply (dev.vk.com/reference/errors, and those of each method).

Names and numbers are those of errors.json in the schema VK publishes (version 5.199).
"""

from workers.platforms.clients import Postponed, RefusalReason, Refused

MESSAGE_DELETED = RefusalReason.MESSAGE_DELETED
COMMENTS_CLOSED = RefusalReason.COMMENTS_CLOSED
PROFILE_CLOSED = RefusalReason.PROFILE_CLOSED
CHANNEL_UNAVAILABLE = RefusalReason.CHANNEL_UNAVAILABLE
TEXT_REFUSED = RefusalReason.TEXT_REFUSED

# Seconds until another attempt makes sense; VK names none, but for 6 (per second).
PAUSES = {
    1: 60.0,  # unknown error: «try again later»
    6: 1.0,  # too many requests per second
    9: 60.0,  # flood control: too many actions of one kind
    10: 30.0,  # internal server error
    14: 600.0,  # captcha needed: VK thinks we hurry; it lets go after a while
    29: 3600.0,  # rate limit of the method reached, counted over a day
    32: 60.0,  # need wait
    36: 30.0,  # execution interrupted by timeout
    43: 300.0,  # section temporarily unavailable
    223: 600.0,  # too many replies
    944: 3600.0,  # limit of an intent
    3300: 600.0,  # recaptcha needed
}

REASONS = {
    15: CHANNEL_UNAVAILABLE,  # access denied
    18: PROFILE_CLOSED,  # user deleted or banned
    19: MESSAGE_DELETED,  # content blocked
    30: PROFILE_CLOSED,  # private profile
    104: MESSAGE_DELETED,  # not found
    203: CHANNEL_UNAVAILABLE,  # access to group denied
    210: MESSAGE_DELETED,  # access to wall's post denied
    211: MESSAGE_DELETED,  # access to wall's comment denied
    212: COMMENTS_CLOSED,  # access to post comments denied
    213: COMMENTS_CLOSED,  # access to status replies denied
    214: COMMENTS_CLOSED,  # access to adding post denied
    222: TEXT_REFUSED,  # hyperlinks are forbidden
    900: PROFILE_CLOSED,  # user is on our blacklist
    901: PROFILE_CLOSED,  # user did not permit messages
    902: PROFILE_CLOSED,  # privacy settings of the user
    910: TEXT_REFUSED,  # too big
    914: TEXT_REFUSED,  # too long
    927: PROFILE_CLOSED,  # chat does not exist
    935: PROFILE_CLOSED,  # user not found in chat
    936: PROFILE_CLOSED,  # contact not found
    939: PROFILE_CLOSED,  # message request already sent
    940: TEXT_REFUSED,  # too many posts in it
    950: PROFILE_CLOSED,  # the time to answer has run out
    987: PROFILE_CLOSED,  # need message request
    988: PROFILE_CLOSED,  # pending message request
}

# The parameters of 100, «missing or invalid», that belong to the reply and not to the set-up.
PARAMETERS = {
    "message": TEXT_REFUSED,
    "post_id": MESSAGE_DELETED,
    "reply_to_comment": MESSAGE_DELETED,
    "conversation_message_ids": MESSAGE_DELETED,
    "peer_id": PROFILE_CLOSED,
    "peer_ids": PROFILE_CLOSED,
    "user_id": PROFILE_CLOSED,
}


def failure(code: int, message: str) -> Refused | Postponed:
    """What to raise. A code we do not know is somebody's to look at, like a token that ended."""
    told = f"VK {code}"
    if code in PAUSES:
        return Postponed(PAUSES[code], told)
    if code == 100:
        named = (PARAMETERS[word] for word in _words(message) if word in PARAMETERS)
        return Refused(next(named, CHANNEL_UNAVAILABLE), told)
    return Refused(REASONS.get(code, CHANNEL_UNAVAILABLE), told)


def _words(message: str) -> list[str]:
    return message.rpartition(":")[2].replace(",", " ").split()
