"""The closed lists of the field: states, outcomes, replies, roles. Open ones: the catalogue."""

from enum import StrEnum


class Status(StrEnum):
    """Where an incident stands. Names follow the network's lifecycle; Russian in the comment."""

    REGISTERED = "REGISTERED"  # Зарегистрирован
    ASSIGNED = "ASSIGNED"  # Направлен исполнителю
    RETURNED = "RETURNED"  # Возвращён (не в компетенции)
    IN_PROGRESS = "IN_PROGRESS"  # Принят в работу
    RESOLVED = "RESOLVED"  # Отработан
    CLOSED = "CLOSED"  # Закрыт
    REOPENED = "REOPENED"  # Возобновлён


OPEN = frozenset(
    {Status.REGISTERED, Status.ASSIGNED, Status.RETURNED, Status.IN_PROGRESS, Status.REOPENED}
)


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
    SYSTEM = "SYSTEM"
