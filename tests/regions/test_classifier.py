"""Which topic a message is about: the figures on phrases not built from, the seeds, bad files."""

import shutil
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from regions.reading.accuracy import accuracy
from regions.reading.classifier import Classifier, Guess, load_classifier
from regions.reading.phrases import Part, Phrase, load_phrases
from regions.reference.catalogue import Catalogue, CatalogueInvalid
from regions.settings import SHIPPED_CATALOGUES
from tests.conftest import CHECKOUT, NEW_YORK, RUSSIA

HEAD = "text,topic,part,kind,urgency"
SURE = 0.6  # of a text that leaves no doubt
UNSURE = 0.3  # of one that is about none of the topics


@pytest.fixture(scope="module")
def classifier(russia: Catalogue) -> Classifier:
    loaded = load_classifier(RUSSIA, russia)
    assert loaded is not None
    return loaded


@pytest.fixture(scope="module")
def phrases(russia: Catalogue) -> list[Phrase]:
    return load_phrases(RUSSIA, russia)


@pytest.fixture(scope="module")
def check(phrases: list[Phrase]) -> list[Phrase]:
    return [phrase for phrase in phrases if phrase.part is Part.CHECK]


def best(classifier: Classifier, text: str) -> Guess:
    return classifier.topics(text)[0]


def written(folder: Path, name: str, *lines: str) -> Path:
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


# What it reaches. The floors lie a little below the figures of bench/results/classification.json.


def test_four_messages_of_five_are_given_their_topic_and_most_have_it_among_three(
    classifier: Classifier, check: list[Phrase]
) -> None:
    reached = accuracy(classifier, check)
    assert reached.phrases >= 500
    assert reached.top_1 >= 0.85
    assert reached.top_3 >= 0.94
    assert reached.macro_f1 >= 0.85


def test_confidence_is_the_share_that_is_right(classifier: Classifier, check: list[Phrase]) -> None:
    assert accuracy(classifier, check).calibration_error <= 0.06


def test_phrases_that_somebody_else_wrote_come_out_right(
    classifier: Classifier, russia: Catalogue
) -> None:
    """Those of the made-up network; they are in no file the classifier is built from."""
    others = _phrases_of_the_demo(russia)
    right = [best(classifier, text).topic == topic for topic, text in others]
    assert len(others) > 50
    assert sum(right) >= 0.88 * len(right)


def _phrases_of_the_demo(russia: Catalogue) -> list[tuple[str, str]]:
    filled = {"place": "Самара", "street": "ул. Садовая", "house": "12", "days": "5"}
    found: list[tuple[str, str]] = []
    section = ""
    file = CHECKOUT / "api" / "demo" / "phrases.ru.txt"
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and section in russia.topics and russia.topics[section].group:
            found.append((section, line.format(**filled)))
    return found


# What the seeds of the project quote


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("Уберите стихийную свалку в нашем дворе!", "waste.dump"),
        ("Прошу решить вопрос с брошенным автохламом.", "improvement.cars"),
        ("У нас проблемы с канализацией…", "water.sewage"),
        ("на улице Красной открыт люк", "roads.manhole"),
        ("сломанную лавочку у подъезда больше не чинят", "improvement.bench"),
        ("неубранные после спила деревьев ветки", "improvement.branches"),
        ("На ул. Мирной в Самаре нет мусорных контейнеров", "waste.containers"),
        ("На улице Мирной в Самаре образовалась свалка", "waste.dump"),
        ("жалоба на школьное питание", "education.meals"),
    ],
)
def test_what_the_seeds_quote_comes_out_right(
    classifier: Classifier, text: str, topic: str
) -> None:
    guess = best(classifier, text)
    assert guess.topic == topic
    assert guess.confidence >= SURE


def test_nothing_the_seeds_quote_is_built_from(phrases: list[Phrase]) -> None:
    built = {phrase.text.casefold().strip(" !.…") for phrase in phrases}
    assert "уберите стихийную свалку в нашем дворе" not in built
    assert "прошу решить вопрос с брошенным автохламом" not in built
    assert "у нас проблемы с канализацией" not in built


# However it is written


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("u nas net vody", "water.off"),
        ("NE VYVOZYAT MUSOR!!! baki polnye", "waste.collection"),
        ("не горят фанари на Садовой темно", "roads.lighting"),
        ("в падъезде гряз и не мают полы", "utilities.entrance"),
        ("лиииифт опять стоит 😡😡😡", "utilities.elevator"),
        ("СВЕТОФОР НЕ РАБОТАЕТ", "roads.lights"),
        ("бpoдячие coбaки у школы", "animals.stray"),  # Latin letters that look Cyrillic
        ("Ребенку не дают место в садике, а мне на работу", "education.kindergarten"),
        ("запись к врачу: талонов нет", "medicine.appointment"),
    ],
)
def test_typos_transliteration_emoji_and_capitals_do_no_harm(
    classifier: Classifier, text: str, topic: str
) -> None:
    assert best(classifier, text).topic == topic


def test_courtesies_and_an_address_change_little(
    classifier: Classifier, check: list[Phrase]
) -> None:
    framed = [
        Phrase(
            f"Добрый вечер! Пишу повторно. {each.text} Наш адрес: ул. Победы, д. 5. С уважением.",
            each.topic,
            each.part,
            each.kind,
            each.urgency,
        )
        for each in check
    ]
    assert accuracy(classifier, framed).top_1 >= 0.83


# What there is nothing to read in


@pytest.mark.parametrize("text", ["", "   ", "😀👍", "12345", "!!!", "这里的水龙头坏了"])
def test_a_text_without_a_known_word_has_no_guesses(classifier: Classifier, text: str) -> None:
    assert classifier.topics(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "Hello, how are you today?",
        "Ein kleiner Junge ging heute durch den Wald und sah einen Hasen",
        "Бүген безнең авылда бәйрәм булды, күп кеше җыелды",
        "Первый!",
        "Ешьте больше фруктов",
    ],
)
def test_of_what_is_about_no_topic_it_is_unsure(classifier: Classifier, text: str) -> None:
    assert best(classifier, text).confidence < UNSURE


@pytest.mark.parametrize(
    "text", ["дорога яма асфальт " * 1050, "аб" * 10_000, "х" * 20_000, "а. " * 6_600]
)
def test_a_text_of_twenty_thousand_characters_is_read(classifier: Classifier, text: str) -> None:
    assert len(classifier.topics(text)) <= 5


# What it promises


def test_guesses_are_five_topics_at_most_the_best_first(
    classifier: Classifier, check: list[Phrase], russia: Catalogue
) -> None:
    for phrase in check:
        guesses = classifier.topics(phrase.text)
        assert 1 <= len(guesses) <= 5
        assert [*sorted(guesses, key=lambda guess: -guess.confidence)] == guesses
        assert sum(guess.confidence for guess in guesses) <= 1.0001
        assert all(russia.topic(guess.topic) for guess in guesses)


def test_the_same_files_read_the_same_text_in_the_same_way(
    classifier: Classifier, check: list[Phrase], russia: Catalogue
) -> None:
    again = load_classifier(RUSSIA, russia)
    assert again is not None
    for phrase in check[:50]:
        assert again.topics(phrase.text) == classifier.topics(phrase.text)


def test_it_keeps_less_than_twenty_megabytes(russia: Catalogue) -> None:
    tracemalloc.start()
    loaded = load_classifier(RUSSIA, russia)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert loaded is not None
    assert kept < 20 * 2**20
    assert peak < 100 * 2**20


# What the files must hold


def test_every_topic_has_phrases_to_build_from_and_phrases_to_check(
    phrases: list[Phrase], russia: Catalogue
) -> None:
    assert len(phrases) >= 1_600
    of = Counter((phrase.topic, phrase.part) for phrase in phrases)
    for topic in (code for code, topic in russia.topics.items() if topic.group):
        assert of[topic, Part.BUILD] >= 10, topic
        assert of[topic, Part.CHECK] >= 4, topic


def test_a_catalogue_without_phrases_has_no_classifier(catalogue: Catalogue) -> None:
    assert load_classifier(NEW_YORK, catalogue) is None


def test_a_catalogue_without_topic_words_has_one(russia: Catalogue, tmp_path: Path) -> None:
    shutil.copy(SHIPPED_CATALOGUES / "russia" / "phrases.csv", tmp_path)
    loaded = load_classifier(tmp_path, russia)
    assert loaded is not None
    assert best(loaded, "Открытый люк на дороге").topic == "roads.manhole"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (",roads.pothole,build,COMPLAINT,", "line 3: no text"),
        ("яма,roads,build,COMPLAINT,", "line 3: topic 'roads' does not exist"),
        ("яма,roads.hole,build,COMPLAINT,", "line 3: topic 'roads.hole' does not exist"),
        ("яма,roads.pothole,train,COMPLAINT,", "line 3: 'train' is not a valid Part"),
        ("яма,roads.pothole,build,ANGER,", "line 3: 'ANGER' is not a valid Kind"),
        ("яма,roads.pothole,build,COMPLAINT,SOON", "line 3: 'SOON' is not a valid PriorityReason"),
        ("Люк Открыт,roads.manhole,check,COMPLAINT,", "line 3: .* stands there twice"),
        ("яма,roads.pothole,build,COMPLAINT,,", "line 3: a cell too many"),
    ],
)
def test_a_bad_phrase_is_refused_with_file_and_line(
    russia: Catalogue, tmp_path: Path, row: str, why: str
) -> None:
    folder = written(
        tmp_path, "phrases.csv", HEAD, "люк открыт,roads.manhole,build,COMPLAINT,", row
    )
    with pytest.raises(CatalogueInvalid, match=rf"phrases\.csv, {why}"):
        load_classifier(folder, russia)


def test_a_missing_column_is_refused(russia: Catalogue, tmp_path: Path) -> None:
    folder = written(tmp_path, "phrases.csv", "text,topic,part", "люк,roads.manhole,build")
    with pytest.raises(CatalogueInvalid, match=r"phrases\.csv, line 2: 'kind'"):
        load_classifier(folder, russia)


def test_phrases_to_check_alone_are_refused(russia: Catalogue, tmp_path: Path) -> None:
    folder = written(tmp_path, "phrases.csv", HEAD, "люк,roads.manhole,check,COMPLAINT,")
    with pytest.raises(CatalogueInvalid, match=r"phrases\.csv: no phrase of the part build"):
        load_classifier(folder, russia)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("roads.hole,яма", "topic 'roads.hole' does not exist"),
        ("roads.pothole,", "no words"),
    ],
)
def test_a_bad_line_of_topic_words_is_refused_with_file_and_line(
    russia: Catalogue, tmp_path: Path, row: str, why: str
) -> None:
    written(tmp_path, "phrases.csv", HEAD, "люк,roads.manhole,build,COMPLAINT,")
    written(tmp_path, "topic_words.csv", "topic,words", row)
    with pytest.raises(CatalogueInvalid, match=rf"topic_words\.csv, line 2: {why}"):
        load_classifier(tmp_path, russia)
