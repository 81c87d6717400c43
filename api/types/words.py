"""The closed lists of the field as GraphQL enums; their meaning: domain/vocabulary.py."""

from enum import EnumType

import strawberry

from domain import vocabulary
from domain.replaying import Unreplayed
from projections.queues import Queue
from projections.statistics.comparisons import ComparedWith
from projections.statistics.overdue import OverdueBy, Side
from projections.views.explanations import Dimension
from projections.views.flag_counts import FlagKind
from projections.views.flags import ComparedTo
from regions.exports import ExportFormat, ExportState
from regions.reading.suggestions import LikenessReason

DESCRIPTIONS: dict[EnumType, str] = {
    vocabulary.Status: "Where an incident stands.",
    vocabulary.Kind: "What the citizen wants.",
    vocabulary.Regime: "Under which rules a message must be answered.",
    vocabulary.Priority: "HIGH is for danger, masses, children, no heating in frost.",
    vocabulary.PriorityReason: "Why an incident is urgent.",
    vocabulary.Clock: "What a deadline is for.",
    vocabulary.Outcome: "What became of the problem.",
    vocabulary.Role: "Who acts.",
    vocabulary.ReplyKind: "FIRST takes it up, INTERIM promises, FINAL ends the cycle.",
    vocabulary.ReplyAuthor: "An AUTO reply never counts as an answer.",
    vocabulary.ReplyFlaw: "What is wrong with the text of a reply.",
    vocabulary.RejectReason: "Why a message is no incident.",
    vocabulary.LinkKind: "How two incidents have to do with each other.",
    vocabulary.ReturnReason: "Why an executor sends an incident back.",
    vocabulary.ReassignReason: "Why another body gets an incident.",
    vocabulary.FallbackReason: "Why a reply is not published where the citizen wrote.",
    vocabulary.PromiseReason: "Why a solution is planned for later, or a deadline moved.",
    vocabulary.DisputeBy: "Who says that it is not solved.",
    vocabulary.DeclineReason: "Why a dispute does not reopen the incident.",
    vocabulary.ReopenReason: "Why a finished incident begins a new cycle.",
    vocabulary.RatingReason: "Why the citizen rated it so.",
    vocabulary.Verdict: "What somebody found who went there.",
    vocabulary.Cause: "Why the problem arose.",
    vocabulary.CrisisReason: "Why a region works by the rules of a crisis.",
    vocabulary.DeliveryFailure: "Why a platform does not take our reply.",
    Queue: "What waits for somebody.",
    vocabulary.Ranked: "What is set side by side, each among its like.",
    Dimension: "By what the cases of a unit are told apart; HOUR is the local one of publication.",
    vocabulary.RankedBy: "What is compared: median times, shares, mean ratings.",
    vocabulary.RankingMethod: "How places are reckoned; a method never changes. STANDARDISED_1: as "
    "if every unit had the topics of the network.",
    vocabulary.RestatementReason: "Why a published ranking is told anew.",
    vocabulary.Unranked: "Why a unit has no place: fewer than 5 cases, or its events are not all "
    "taken in.",
    FlagKind: "What may be gaming (docs/api.md, Flags).",
    ComparedTo: "What the expected number comes from: the other units together, the same unit in "
    "the period before, other days or working hours of the period, or a fixed share.",
    ComparedWith: "Which other period: as long and just before, a year ago, the first of all.",
    vocabulary.TermUnit: "How a term is counted; working time is that of the place.",
    OverdueBy: "By what deadlines are told apart, as their incidents stand now.",
    Side: "On which side of its deadlines an incident is: LATE if it missed any.",
    Unreplayed: "What is not told anew: a deadline that came from a merged incident, or all of an "
    "incident that was recorded under terms not known any more.",
    ExportFormat: "Comma-separated values, a workbook, or columns for analysis.",
    ExportState: "WAITING for an attempt, RUNNING, READY to be fetched, or FAILED for good.",
    LikenessReason: "Why a message may be about the same as another.",
}


def register() -> None:
    """Before the first field that has one is read: strawberry asks the class itself, once."""
    for words, description in DESCRIPTIONS.items():
        strawberry.enum(words, description=description)
