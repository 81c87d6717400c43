"""`GET /`: what citizens wrote and what the centre answered, for a person to look at."""

import base64
import hashlib
from collections import defaultdict
from datetime import datetime
from html import escape

from api.demo.platforms.stage import Stage
from api.demo.platforms.world import Entry

SHOWN_MAX = 100  # conversations, the latest first
REFRESH_SECONDS = 3
TITLES = {"vk": "ВКонтакте", "telegram": "Telegram", "ok": "Одноклассники", "pos": "ПОС"}

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.45 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; }
body { padding: 0 1rem; }
h1 { font-size: 1.3rem; }
article { border: 1px solid #8886; border-radius: .6rem; padding: .2rem 1rem; margin: 1rem 0; }
p { margin: .6rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.under { margin-left: 1.2rem; padding-left: .8rem; border-left: 2px solid #8886; }
.ours { border-left-color: #2a7; background: #2a71; }
.gone { opacity: .5; text-decoration: line-through; }
small { display: block; opacity: .7; }
"""

# No script, no picture, no other host; of styles only the one above.
HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def page(stage: Stage) -> str:
    tops, below = _conversations(stage)
    articles = "".join(_article(stage, top, below[top.number]) for top in tops)
    counts = stage.deliverer.counts()
    return (
        f'<!doctype html><html lang="ru"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">'
        f"<title>Площадки</title><style>{STYLE}</style></head><body>"
        f"<h1>Площадки (имитация)</h1>"
        f"<small>Событий доставлено: {counts['delivered']}, в пути: {counts['pending']}</small>"
        f"{articles}</body></html>"
    )


def _conversations(stage: Stage) -> tuple[list[Entry], dict[int, list[Entry]]]:
    """Where something was written last, and what stands below each beginning."""
    below: dict[int, list[Entry]] = defaultdict(list)
    tops: dict[int, Entry] = {}
    for entry in stage.world.select("number > (SELECT coalesce(max(number), 0) FROM entry) - 2000"):
        top = stage.world.find(entry.parent or entry.reply_to)
        while top and (above := stage.world.find(top.parent or top.reply_to)):
            top = above
        if top is not None:
            below[top.number].append(entry)
        beginning = top or entry
        tops.pop(beginning.number, None)
        tops[beginning.number] = beginning
    return list(reversed(tops.values()))[:SHOWN_MAX], below


def _article(stage: Stage, top: Entry, below: list[Entry]) -> str:
    account = stage.accounts.of(top.platform, top.source)
    title = f"{TITLES.get(top.platform, top.platform)} · {account.name if account else top.source}"
    lines = "".join(_line(entry, "under") for entry in below)
    return f"<article><small>{escape(title)}</small>{_line(top, '')}{lines}</article>"


def _line(entry: Entry, place: str) -> str:
    marks = [place, "ours" if entry.ours else "", "gone" if entry.deleted else ""]
    classes = " ".join(mark for mark in marks if mark)
    at = datetime.fromtimestamp(entry.at).astimezone().strftime("%d.%m.%Y %H:%M:%S")
    who = f"{entry.author_name}, {at}{', изменено' if entry.edited_at else ''}"
    return f'<div class="{classes}"><small>{escape(who)}</small><p>{escape(entry.text)}</p></div>'
