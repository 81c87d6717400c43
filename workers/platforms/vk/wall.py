"""Posts and comments on the wall of a community.

dev.vk.com/reference/objects/post and .../comment; comments come with the wall's owner and the post
beside them (dev.vk.com/api/community-events/json-schema).
"""

from datetime import datetime

import msgspec

from workers.platforms.bodies import (
    Attachment,
    Id,
    SignedId,
    moment,
    says_nothing,
    some_id,
    words,
)
from workers.platforms.facts import Deleted, Edited, Fact, Ignored, Posted
from workers.platforms.vk.event import Event, Geo, author, kinds, point, read_object
from workers.platforms.vk.places import (
    InConversation,
    OnWall,
    comment_id,
    in_conversation,
    on_wall,
    post_id,
)


class Post(msgspec.Struct, frozen=True):
    id: Id
    owner_id: SignedId
    from_id: SignedId
    date: int
    text: str = ""
    post_type: str = "post"
    attachments: tuple[Attachment, ...] = ()
    geo: Geo | None = None


class Comment(msgspec.Struct, frozen=True):
    id: Id
    from_id: SignedId
    date: int
    post_id: Id
    text: str = ""
    post_owner_id: SignedId | None = None
    owner_id: SignedId | None = None  # the schema's name of the same
    reply_to_comment: Id | None = None
    parents_stack: tuple[Id, ...] = ()  # empty: it stands at the top of a thread
    attachments: tuple[Attachment, ...] = ()


class DeletedComment(msgspec.Struct, frozen=True):
    id: Id
    owner_id: SignedId
    post_id: Id


def post_new(event: Event, received_at: datetime) -> Fact:
    post = read_object(event, Post)
    if post.from_id == -event.group_id:
        return Ignored("OWN")
    if post.post_type not in ("post", "suggest") or says_nothing(
        post.text, kinds(post.attachments)
    ):
        return Ignored("NO_MESSAGE")
    return _post(post)


def reply_new(event: Event, received_at: datetime) -> Fact:
    """Also for a comment restored: it is there again, as if it had just been written."""
    comment = read_object(event, Comment)
    if comment.from_id == -event.group_id:
        return Ignored("OWN")
    if says_nothing(comment.text, kinds(comment.attachments)):
        return Ignored("NO_MESSAGE")
    return _comment(comment)


def reply_edit(event: Event, received_at: datetime) -> Fact:
    now = reply_new(event, received_at)
    if not isinstance(now, Posted):
        return now
    # VK does not say when a comment was edited: its arrival is the best there is.
    return Edited(external_id=now.external_id, text=now.text, edited_at=received_at, message=now)


def reply_delete(event: Event, received_at: datetime) -> Fact:
    gone = read_object(event, DeletedComment)
    gone_id = comment_id(some_id(gone.owner_id, "owner_id"), gone.post_id, gone.id)
    return Deleted(external_id=gone_id, deleted_at=received_at)


def _post(post: Post) -> Posted:
    latitude, longitude = point(post.geo)
    some_id(post.owner_id, "owner_id")
    return Posted(
        external_id=post_id(post.owner_id, post.id),
        text=words(post.text, kinds(post.attachments)),
        published_at=moment(post.date),
        # Nobody can comment on what is only suggested: its author is answered in a message.
        place=in_conversation(InConversation(post.from_id))
        if post.post_type == "suggest"
        else on_wall(OnWall(post.owner_id, post.id)),
        latitude=latitude,
        longitude=longitude,
        author_key=author(post.from_id).key,
        contact=author(post.from_id).profile,
    )


def _comment(comment: Comment) -> Posted:
    owner = some_id(comment.post_owner_id or comment.owner_id, "post_owner_id")
    post, replied = comment.post_id, comment.reply_to_comment
    return Posted(
        external_id=comment_id(owner, post, comment.id),
        text=words(comment.text, kinds(comment.attachments)),
        published_at=moment(comment.date),
        place=on_wall(OnWall(owner, post, comment.id, next(iter(comment.parents_stack), None))),
        answers=comment_id(owner, post, replied) if replied else post_id(owner, post),
        author_key=author(comment.from_id).key,
        contact=author(comment.from_id).profile,
    )
