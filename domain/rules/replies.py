"""Replies: drafted, reviewed by somebody else, published where the citizen wrote."""

from collections.abc import Callable
from typing import Any

from domain import commands as c
from domain import events as e
from domain.deciding import Deciding
from domain.errors import (
    FirstReplyRepeated,
    ForbiddenTransition,
    OtherChannel,
    OwnDraft,
    ReplyFlawed,
    ReplyNotApproved,
    ReplyPending,
)
from domain.incident import Cycle
from domain.vocabulary import Clock, ReplyAuthor, ReplyKind, Role


def _draft_reply(it: Deciding, command: c.DraftReply) -> None:
    found = it.terms.flaws(command.text, command.kind)
    it.record(
        e.ReplyDrafted,
        kind=command.kind,
        text=it.sealed,
        flaws=found,
        text_fingerprint=it.text_fingerprint,
    )


def _return_reply(it: Deciding, command: c.ReturnReply) -> None:
    draft = it.cycle.draft
    it.record(e.ReplyReturned, reasons=command.reasons, status=draft.back_to if draft else None)


def _approve_reply(it: Deciding, command: c.ApproveReply) -> None:
    draft = it.cycle.draft
    if draft is None:
        raise ForbiddenTransition(command=command.NAME, status=it.incident.status)
    if draft.by == it.by.name and not it.automatic:
        raise OwnDraft
    if draft.flaws and not command.despite_flaws and not it.automatic:
        raise ReplyFlawed(flaws=", ".join(draft.flaws))
    it.record(e.ReplyApproved, kind=draft.kind, despite=draft.flaws, status=draft.back_to)


def _submit_reply(it: Deciding, command: c.SubmitReply) -> None:
    """Raises ReplyNotApproved, ReplyFlawed or ReplyPending: it goes out as it is."""
    if command.kind is ReplyKind.FIRST and _answered(it.cycle, ReplyAuthor.HUMAN):
        raise FirstReplyRepeated
    if it.cycle.draft and it.cycle.draft.approved:
        raise ReplyPending
    if command.kind is not ReplyKind.FIRST and not _approves(it):
        raise ReplyNotApproved
    found = it.terms.flaws(command.text, command.kind)
    if found and not it.automatic:
        raise ReplyFlawed(flaws=", ".join(found))
    it.record(
        e.ReplySubmitted,
        kind=command.kind,
        text=it.sealed,
        flaws=found,
        text_fingerprint=it.text_fingerprint,
    )


def _publish_reply(it: Deciding, command: c.PublishReply) -> None:
    incident, cycle = it.incident, it.cycle
    channel = command.channel or incident.channel
    if channel != incident.channel and command.fallback_reason is None:
        raise OtherChannel(channel=incident.channel)
    if command.kind is ReplyKind.FIRST and _answered(cycle, command.author):
        raise FirstReplyRepeated
    draft = cycle.draft if cycle.draft and cycle.draft.approved else None
    if draft is not None and (draft.kind is not command.kind or command.text is not None):
        draft = None  # What was approved is another reply.
    if draft is None and not _may_publish_directly(it, command):
        raise ReplyNotApproved
    human = command.author is ReplyAuthor.HUMAN
    if human:
        it.settle(Clock.FIRST_REPLY, Clock.NEXT_REPLY)
    it.record(
        e.ReplyPublished,
        kind=command.kind,
        author=command.author,
        channel=channel,
        fallback_reason=command.fallback_reason,
        text=it.sealed,
        # Where it is the first message alone, that goes without saying.
        messages=tuple(sorted(incident.all_messages)) if len(incident.all_messages) > 1 else (),
        draft=draft.version if draft else None,
        text_fingerprint=draft.text_fingerprint if draft else it.text_fingerprint,
        external_id=command.external_id,
        **(it.lasted(cycle.waiting_since) if human else {}),
    )


def _note_delivery(it: Deciding, command: c.NoteDelivery) -> None:
    it.record(
        e.ReplyDelivered,
        draft=command.draft,
        message=command.message,
        channel=command.channel,
        external_id=command.external_id,
    )


def _note_failed_delivery(it: Deciding, command: c.NoteFailedDelivery) -> None:
    it.record(
        e.ReplyPublicationFailed,
        draft=command.draft,
        message=command.message,
        channel=command.channel,
        reason=command.reason,
    )


def _note_deleted_reply(it: Deciding, command: c.NoteDeletedReply) -> None:
    it.record(
        e.ReplyDeleted,
        channel=command.channel,
        external_id=command.external_id,
        deleted_at=min(command.deleted_at, it.at),
    )


def _may_publish_directly(it: Deciding, command: c.PublishReply) -> bool:
    """That it was taken up anybody may say; more than that, only who could approve it."""
    if command.kind is ReplyKind.FIRST or command.author is ReplyAuthor.AUTO:
        return True
    return _approves(it)


def _approves(it: Deciding) -> bool:
    return it.automatic or it.by.role in (Role.ORG_HEAD, Role.CURATOR)


def _answered(cycle: Cycle, author: ReplyAuthor) -> bool:
    """Whether a FIRST reply of this author comes too late: an automatic one stops no human."""
    if author is ReplyAuthor.AUTO:
        return bool(cycle.replies)
    return any(replied_by is ReplyAuthor.HUMAN for _, replied_by in cycle.replies)


DECISIONS: dict[type[c.Command], Callable[[Deciding, Any], None]] = {
    c.DraftReply: _draft_reply,
    c.ReturnReply: _return_reply,
    c.ApproveReply: _approve_reply,
    c.SubmitReply: _submit_reply,
    c.PublishReply: _publish_reply,
    c.NoteDelivery: _note_delivery,
    c.NoteFailedDelivery: _note_failed_delivery,
    c.NoteDeletedReply: _note_deleted_reply,
}
