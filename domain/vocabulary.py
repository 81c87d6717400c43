"""The closed lists of the field: states, outcomes, replies, roles. Open ones: the catalogue."""

from enum import StrEnum


class Status(StrEnum):
    """Where an incident stands (lifecycle-and-metrics 3.1); Russian in the comment."""

    CAPTURED = "CAPTURED"  # Зафиксировано: a message that is not an incident yet
    REGISTERED = "REGISTERED"  # Зарегистрирован
    REJECTED = "REJECTED"  # Отклонён
    MERGED = "MERGED"  # Объединён
    TRANSFERRED = "TRANSFERRED"  # Передан в другой регион
    ASSIGNED = "ASSIGNED"  # Направлен исполнителю
    RETURNED = "RETURNED"  # Возвращён (не в компетенции)
    IN_PROGRESS = "IN_PROGRESS"  # Принят в работу
    AWAITING_CITIZEN = "AWAITING_CITIZEN"  # Уточнение у заявителя
    REPLY_IN_REVIEW = "REPLY_IN_REVIEW"  # Ответ на согласовании
    SCHEDULED = "SCHEDULED"  # Отложен (плановый срок)
    RESOLVED = "RESOLVED"  # Отработан
    UNDER_CONTROL = "UNDER_CONTROL"  # На контроле
    CLOSED = "CLOSED"  # Закрыт
    REOPEN_REQUESTED = "REOPEN_REQUESTED"  # Запрошено возобновление
    REOPENED = "REOPENED"  # Возобновлён


OPEN = frozenset(
    {
        Status.REGISTERED,
        Status.ASSIGNED,
        Status.RETURNED,
        Status.IN_PROGRESS,
        Status.AWAITING_CITIZEN,
        Status.REPLY_IN_REVIEW,
        Status.SCHEDULED,
        Status.REOPENED,
    }
)


class Regime(StrEnum):
    """Under which rules a message must be answered; data on an incident, not another machine."""

    IM = "IM"  # social networks, «Инцидент Менеджмент»
    POS_MESSAGE = "POS_MESSAGE"  # a message of the feedback platform, ПП 1802
    FZ59_APPEAL = "FZ59_APPEAL"  # an appeal under 59-ФЗ


class Priority(StrEnum):
    NORMAL = "NORMAL"
    HIGH = "HIGH"  # острое: danger to life, mass, school, no heating in frost


class Clock(StrEnum):
    """What a deadline is for. Each clock runs by itself."""

    FIRST_REPLY = "FIRST_REPLY"
    NEXT_REPLY = "NEXT_REPLY"  # the citizen wrote again
    SOLUTION = "SOLUTION"


class TermUnit(StrEnum):
    """How a term is counted (regions/reference/calendar.py)."""

    HOURS = "HOURS"
    DAYS = "DAYS"
    WORKING_HOURS = "WORKING_HOURS"
    WORKING_DAYS = "WORKING_DAYS"


class Kind(StrEnum):
    """What the citizen wants."""

    COMPLAINT = "COMPLAINT"  # жалоба
    SUGGESTION = "SUGGESTION"  # предложение
    QUESTION = "QUESTION"  # вопрос
    MESSAGE = "MESSAGE"  # сообщение
    THANKS = "THANKS"  # благодарность


class ReplyKind(StrEnum):
    """FIRST says it was taken up, INTERIM promises, FINAL ends the cycle."""

    FIRST = "FIRST"
    INTERIM = "INTERIM"
    FINAL = "FINAL"


class ReplyAuthor(StrEnum):
    """An AUTO reply never counts as an answer (lifecycle-and-metrics, firstReplyTime)."""

    HUMAN = "HUMAN"
    AUTO = "AUTO"


class Outcome(StrEnum):
    """What became of the problem; a final reply is not yet a solution."""

    SOLVED = "SOLVED"  # решено
    EXPLAINED = "EXPLAINED"  # разъяснено
    PLANNED = "PLANNED"  # запланировано
    REFUSED = "REFUSED"  # мотивированный отказ
    NOT_CONFIRMED = "NOT_CONFIRMED"  # не подтвердилось
    OUT_OF_COMPETENCE = "OUT_OF_COMPETENCE"  # вне компетенции


class ReturnReason(StrEnum):
    """Why an executor sends an incident back to triage."""

    NOT_COMPETENT = "NOT_COMPETENT"
    OTHER_TERRITORY = "OTHER_TERRITORY"
    WRONG_TOPIC = "WRONG_TOPIC"
    NOT_ENOUGH_DETAIL = "NOT_ENOUGH_DETAIL"


class FallbackReason(StrEnum):
    """Why a reply is not published where the citizen wrote."""

    MESSAGE_DELETED = "MESSAGE_DELETED"
    COMMENTS_CLOSED = "COMMENTS_CLOSED"
    PROFILE_CLOSED = "PROFILE_CLOSED"
    CHANNEL_UNAVAILABLE = "CHANNEL_UNAVAILABLE"
    CITIZEN_ASKED = "CITIZEN_ASKED"  # the citizen asked to be answered elsewhere


class RejectReason(StrEnum):
    """Why a message is no incident. One that belongs to another region is transferred instead."""

    NOT_A_PROBLEM = "NOT_A_PROBLEM"
    OBSCENE = "OBSCENE"
    PRIVATE_PROFILE = "PRIVATE_PROFILE"
    ADVERT = "ADVERT"


class LinkKind(StrEnum):
    """How an incident has to do with another one."""

    RELATED = "RELATED"
    RECURRENCE = "RECURRENCE"  # the same topic and place again
    SAME_CAUSE = "SAME_CAUSE"


class ReassignReason(StrEnum):
    """Why an incident gets another holder without having been sent back."""

    WRONG_BODY = "WRONG_BODY"
    OVERDUE = "OVERDUE"
    REORGANISATION = "REORGANISATION"
    TO_MUNICIPALITY = "TO_MUNICIPALITY"  # the region delegates
    TO_REGION = "TO_REGION"  # the municipality escalates


class PriorityReason(StrEnum):
    DANGER_TO_LIFE = "DANGER_TO_LIFE"
    MASS = "MASS"
    CHILDREN = "CHILDREN"
    UTILITIES_OUT = "UTILITIES_OUT"
    RESONANCE = "RESONANCE"  # a post that spreads
    EASED = "EASED"  # back to normal


class ReplyFlaw(StrEnum):
    """What is wrong with the text of a reply: found by a rule, or by who reviews it."""

    FORMAL = "FORMAL"  # says nothing about the matter
    REDIRECTS_CITIZEN = "REDIRECTS_CITIZEN"  # sends the citizen elsewhere: not a single window
    NO_DATE = "NO_DATE"  # promises and does not say by when
    PERSONAL_DATA = "PERSONAL_DATA"  # in a public answer
    WRONG_TONE = "WRONG_TONE"


class PromiseReason(StrEnum):
    """Why a solution is planned for later, or moved."""

    SEASON = "SEASON"
    BUDGET = "BUDGET"
    CONTRACT = "CONTRACT"
    PLANNED_REPAIR = "PLANNED_REPAIR"
    WEATHER = "WEATHER"
    SUPPLY = "SUPPLY"


class DisputeBy(StrEnum):
    """Who says that it is not solved."""

    AUTHOR = "AUTHOR"
    THIRD_PARTY = "THIRD_PARTY"
    FIELD_CHECK = "FIELD_CHECK"


class DeclineReason(StrEnum):
    """Why a dispute does not reopen the incident."""

    SOLUTION_CONFIRMED = "SOLUTION_CONFIRMED"
    ANOTHER_MATTER = "ANOTHER_MATTER"  # it becomes an incident of its own
    NO_GROUNDS = "NO_GROUNDS"


class RatingReason(StrEnum):
    FAST = "FAST"
    SOLVED = "SOLVED"
    POLITE = "POLITE"
    SLOW = "SLOW"
    NOT_SOLVED = "NOT_SOLVED"
    FORMAL_REPLY = "FORMAL_REPLY"
    RUDE = "RUDE"


class Verdict(StrEnum):
    """What somebody found who went there."""

    DONE = "DONE"
    NOT_DONE = "NOT_DONE"
    PARTLY = "PARTLY"


class Cause(StrEnum):
    """Why the problem arose, as far as its curator knows."""

    WEAR = "WEAR"
    CONTRACTOR = "CONTRACTOR"
    NO_FUNDING = "NO_FUNDING"
    RULES = "RULES"  # the rule itself is wrong
    NO_INFORMATION = "NO_INFORMATION"  # nothing is broken, nobody was told
    NATURE = "NATURE"
    RESIDENTS = "RESIDENTS"


class CrisisReason(StrEnum):
    """Why the centre of a region works under the rules of a crisis."""

    WEATHER = "WEATHER"
    ACCIDENT = "ACCIDENT"
    EPIDEMIC = "EPIDEMIC"
    SECURITY = "SECURITY"
    UNREST = "UNREST"


class DeliveryFailure(StrEnum):
    """Why a platform does not take our reply, for good; somebody decides what to do."""

    MESSAGE_DELETED = "MESSAGE_DELETED"
    COMMENTS_CLOSED = "COMMENTS_CLOSED"
    PROFILE_CLOSED = "PROFILE_CLOSED"
    CHANNEL_UNAVAILABLE = "CHANNEL_UNAVAILABLE"
    TEXT_REFUSED = "TEXT_REFUSED"
    UNCERTAIN = "UNCERTAIN"  # sent, but never confirmed, where sending again might answer twice


class ReopenReason(StrEnum):
    """Why a finished incident begins a new cycle."""

    NOT_SOLVED = "NOT_SOLVED"
    RECURRED = "RECURRED"
    FORMAL_REPLY = "FORMAL_REPLY"
    FIELD_CHECK_FAILED = "FIELD_CHECK_FAILED"


class Role(StrEnum):
    """Who acts (lifecycle-and-metrics, 3.2)."""

    CITIZEN = "CITIZEN"
    MONITOR = "MONITOR"  # оператор мониторинга ЦУР
    CURATOR = "CURATOR"  # куратор направления
    EXECUTOR = "EXECUTOR"  # исполнитель ведомства или муниципалитета
    ORG_HEAD = "ORG_HEAD"  # руководитель, утверждает ответ
    MCU_OPERATOR = "MCU_OPERATOR"  # оператор МЦУ
    REGION_HEAD = "REGION_HEAD"  # руководитель ЦУР
    DISTRICT_OVERSEER = "DISTRICT_OVERSEER"  # полпредство
    FEDERAL_OVERSEER = "FEDERAL_OVERSEER"
    NETWORK_OPERATOR = "NETWORK_OPERATOR"  # АНО
    DATA_OFFICER = "DATA_OFFICER"  # answers for personal data in the region
    TRAINEE = "TRAINEE"  # in the sandbox only
    SYSTEM = "SYSTEM"


class Ranked(StrEnum):
    """What is set side by side; each with its like."""

    REGIONS = "REGIONS"  # one tier
    MUNICIPALITIES = "MUNICIPALITIES"  # in bands of residents
    ORGANISATIONS = "ORGANISATIONS"  # by their kind


class RankedBy(StrEnum):
    FIRST_REPLY = "FIRST_REPLY"
    RESOLUTION = "RESOLUTION"
    OVERDUE = "OVERDUE"
    REOPENING = "REOPENING"
    SATISFACTION = "SATISFACTION"
    PROMISES = "PROMISES"


class RankingMethod(StrEnum):
    """A method never changes; a better one gets a name of its own."""

    SHRUNK_1 = "SHRUNK_1"
    STANDARDISED_1 = "STANDARDISED_1"  # as if every unit had the topics of the network


class Unranked(StrEnum):
    """Why a unit has no place."""

    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"
    STALE_DATA = "STALE_DATA"


class RestatementReason(StrEnum):
    """Why a published ranking is told anew."""

    LATE_EVENTS = "LATE_EVENTS"  # what happened in the period was recorded after its publication
    REGION_RECOVERED = "REGION_RECOVERED"  # its data was stale then
    DISPUTE_UPHELD = "DISPUTE_UPHELD"  # a unit showed that incidents were recorded wrongly
    NEW_METHOD = "NEW_METHOD"
