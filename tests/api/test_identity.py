"""Access tokens of a configured issuer: which are believed, and what they make of their bearer."""

import asyncio
import hmac
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from api import cli, issuer_keys
from api.claims import ClaimsInvalid, read_claims
from api.identity import CLOCK_SKEW_SECONDS, KEPT_MAX, IssuedTokens, Remembered
from api.issuer_keys import FRESH_SECONDS, KEPT_SECONDS_MAX, PAUSE_SECONDS, IssuerKeys, read_key
from api.viewer import VISITOR, IssuerUnavailable, Viewer
from domain.commands import Citizen
from domain.errors import NotPermitted
from domain.rights import Scope
from domain.vocabulary import Role
from regions.reference.catalogue import Catalogue
from regions.settings import Issuer, SettingInvalid
from regions.store.postgres import Server
from tests.api.conftest import Api, catch_up, fresh_database, node_on, projecting, serving
from tests.api.issuer import (
    AUDIENCE,
    CLAIMS_TOML,
    SmallIssuer,
    ec_key,
    encoded,
    jwk,
    pem,
    rsa_key,
    small_issuer,
)
from tests.conftest import CHECKOUT, NEW_YORK, RUSSIA
from tests.scenarios import registered


@pytest.fixture(scope="module")
def issuer() -> Iterator[SmallIssuer]:
    with small_issuer() as issuer:
        issuer.keys.append(jwk("curve", ec_key("curve")))
        yield issuer


@pytest.fixture(scope="module")
def api(server: Server, template: str, issuer: SmallIssuer) -> Iterator[Api]:
    url = fresh_database(server, template)
    trusted = Issuer(issuer.url, AUDIENCE)
    with serving(url, issuer=trusted, claims=CLAIMS_TOML) as api:
        yield api


@dataclass
class Seconds:
    """A clock for the keys, moved by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def tokens(issuer: SmallIssuer, catalogue: Catalogue, home: Path, text: str) -> IssuedTokens:
    (home / "claims.toml").write_text(text)
    mapping = read_claims(home, NEW_YORK, catalogue)
    keys = IssuerKeys(issuer.url, Seconds())
    return IssuedTokens(Issuer(issuer.url, AUDIENCE), keys, mapping, catalogue)


@pytest.fixture
def issued(issuer: SmallIssuer, catalogue: Catalogue, tmp_path: Path) -> IssuedTokens:
    return tokens(issuer, catalogue, tmp_path, CLAIMS_TOML)


def asked(issued: IssuedTokens, *given: str) -> list[Viewer | type[Exception]]:
    """What becomes of each token, one after the other, on one event loop."""

    async def ask() -> list[Viewer | type[Exception]]:
        found: list[Viewer | type[Exception]] = []
        for token in given:
            try:
                found.append(await issued.viewer(f"Bearer {token}"))
            except (NotPermitted, IssuerUnavailable) as refusal:
                found.append(type(refusal))
        return found

    return asyncio.run(ask())


# What is believed


def test_a_token_of_the_issuer_says_who_asks(issuer: SmallIssuer, api: Api) -> None:
    text = "{ incidents { edges { cursor } } }"
    assert api.ask(text, token=issuer.token()) == {"incidents": {"edges": []}}
    curve = issuer.token(key=ec_key("curve"), kid="curve", algorithm="ES256")
    assert api.ask(text, token=curve) == {"incidents": {"edges": []}}
    assert api.refusal(text)[0] == "NOT_PERMITTED"
    with api.open_socket(issuer.token()) as client:
        client.subscribe(text)
        assert client.message()["payload"]["data"] == {"incidents": {"edges": []}}


def signed_with_the_public_key(issuer: SmallIssuer) -> str:
    """HS256, the issuer's public key as its secret. By hand: the library refuses to."""
    claims = issuer.claims() | {"exp": 4_000_000_000, "iat": 1_700_000_000}
    body = encoded({"alg": "HS256", "kid": "one", "typ": "JWT"}) + "." + encoded(claims)
    mac = hmac.digest(pem(rsa_key("one")), body.encode(), sha256)
    return f"{body}.{jwt.utils.base64url_encode(mac).decode()}"


def tampered(issuer: SmallIssuer) -> str:
    header, _, signature = issuer.token(tsur_scope="BRONX").split(".")
    return f"{header}.{encoded(issuer.claims() | {'exp': 4_000_000_000, 'iat': 1})}.{signature}"


def unsigned(issuer: SmallIssuer) -> str:
    claims = issuer.claims() | {"exp": 4_000_000_000, "iat": 1}
    return f"{encoded({'alg': 'none', 'kid': 'one', 'typ': 'JWT'})}.{encoded(claims)}."


def by(stranger: str, **headers: Any) -> Callable[[SmallIssuer], str]:
    return lambda issuer: issuer.token(key=rsa_key(stranger), headers=headers)


def with_claims(**changes: Any) -> Callable[[SmallIssuer], str]:
    return lambda issuer: issuer.token(**changes)


def at(claim: str, seconds: float) -> Callable[[SmallIssuer], str]:
    return lambda issuer: issuer.token(**{claim: datetime.now(UTC) + timedelta(seconds=seconds)})


SKEW = CLOCK_SKEW_SECONDS
FORGERIES: dict[str, Callable[[SmallIssuer], str]] = {
    "unsigned": unsigned,
    "HS256 with the public key": signed_with_the_public_key,
    "wrong issuer": with_claims(iss="https://elsewhere.example"),
    "issuer with a slash more": lambda issuer: issuer.token(iss=f"{issuer.url}/"),
    "no issuer": with_claims(iss=None),
    "wrong audience": with_claims(aud="https://elsewhere.example"),
    "no audience": with_claims(aud=None),
    "expired": at("exp", -SKEW - 1),
    "never expires": with_claims(exp=None),
    "not valid yet": at("nbf", SKEW + 5),
    "issued in the future": at("iat", SKEW + 5),
    "unknown key": with_claims(kid="two"),
    "no key id": with_claims(kid=None),
    "another key's id": with_claims(kid="curve"),
    "a stranger's key": by("stranger"),
    "jwk": by("stranger", jwk=jwk("one", rsa_key("stranger"))),
    "jku": lambda issuer: by("stranger", jku=f"{issuer.url}/strangers")(issuer),
    "x5u": lambda issuer: by("stranger", x5u=f"{issuer.url}/strangers")(issuer),
    "tampered": tampered,
    "critical extension": with_claims(headers={"crit": ["exp"]}),
    "logout token": with_claims(headers={"typ": "logout+jwt"}),
    "no subject": with_claims(sub=None),
    "header too deep": lambda issuer: jwt.utils.base64url_encode(b"[" * 3000).decode() + ".e30.",
    "too long": with_claims(padding="x" * 20_000),
    "nonsense": lambda issuer: "nonsense",
    "no role of ours": with_claims(realm_access={"roles": ["offline_access"]}),
    "roles that are no list": with_claims(realm_access="tsur-monitor"),
    "unknown scope": with_claims(tsur_scope="MOSCOW"),
    "two scopes": with_claims(tsur_scope=["BRONX", "QUEENS"]),
    "no scope": with_claims(tsur_scope=None),
    "no name": with_claims(preferred_username=None),
    "a name with NUL": with_claims(preferred_username="pet\0rova"),
    "unknown topic group": with_claims(tsur_scope="BRONX", tsur_topic_groups=["magic"]),
    "empty topic groups": with_claims(tsur_scope="BRONX", tsur_topic_groups=[]),
    "topic groups of no region": with_claims(tsur_topic_groups=["noise"]),
    "for ever": with_claims(exp=10**18),
    "till the end of the calendar": with_claims(exp=253_402_300_799),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_what_the_issuer_did_not_sign_for_us_is_refused(
    forgery: str, issuer: SmallIssuer, api: Api
) -> None:
    header = {"authorization": f"Bearer {FORGERIES[forgery](issuer)}"}
    answer = api.client.post("/graphql", json={"query": "{ __typename }"}, headers=header)
    assert answer.status_code == 401, answer.text
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "NOT_PERMITTED"


def test_a_forged_token_opens_no_socket_and_no_metrics(issuer: SmallIssuer, api: Api) -> None:
    token = tampered(issuer)
    with api.raw_socket() as client:
        client.send({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}})
        assert client.closed_with() == 4403
    header = {"authorization": f"Bearer {token}"}
    assert api.client.get("/metrics", headers=header).status_code == 401
    header = {"authorization": f"Bearer {issuer.token()}"}
    assert api.client.get("/metrics", headers=header).status_code == 200


def test_tokens_of_the_local_key_are_refused_once_an_issuer_is_configured(api: Api) -> None:
    header = {"authorization": f"Bearer {api.token()}"}
    answer = api.client.post("/graphql", json={"query": "{ __typename }"}, headers=header)
    assert answer.status_code == 401


def test_the_command_line_issues_no_token_where_an_issuer_is_configured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TSUR_HOME", str(tmp_path))
    monkeypatch.setenv("TSUR_OIDC_ISSUER", "https://id.example/realm")
    monkeypatch.setenv("TSUR_OIDC_AUDIENCE", AUDIENCE)
    with pytest.raises(SettingInvalid, match=r"id\.example"):
        cli.token()


def test_clocks_may_differ_by_the_skew(issuer: SmallIssuer, issued: IssuedTokens) -> None:
    late = at("exp", -SKEW / 2)(issuer)
    (viewer,) = asked(issued, late)
    assert isinstance(viewer, Viewer)
    assert viewer.expires_at is not None
    assert viewer.expires_at > datetime.now(UTC)  # or what was let in would be ended at once
    assert [type(each) for each in asked(issued, at("nbf", SKEW / 2)(issuer))] == [Viewer]


# What it makes of its bearer


def test_claims_give_name_role_scope_and_the_right_to_personal_data(
    issuer: SmallIssuer, issued: IssuedTokens
) -> None:
    roles = {"roles": ["tsur-personal-data", "tsur-officer", "tsur-monitor"]}
    plain, officer, body = asked(
        issued,
        issuer.token(tsur_scope="BRONX-01"),
        issuer.token(realm_access=roles, tsur_scope=["BRONX"]),
        issuer.token(tsur_scope="BRONX-DEP"),
    )
    assert isinstance(plain, Viewer)
    assert isinstance(officer, Viewer)
    assert isinstance(body, Viewer)
    assert (plain.name, plain.role, plain.scope) == (
        "petrova",
        Role.MONITOR,
        Scope("BRONX", "BRONX-01"),
    )
    assert not plain.personal_data
    assert (officer.role, officer.personal_data) == (Role.MONITOR, True)  # the first of the file
    assert body.scope == Scope("BRONX", organisation="BRONX-DEP")


def test_a_district_and_topic_groups_are_scopes(
    issuer: SmallIssuer, issued: IssuedTokens, catalogue: Catalogue
) -> None:
    overseer = {"roles": ["tsur-district"]}
    curator = {"roles": ["tsur-curator"]}
    district, groups = asked(
        issued,
        issuer.token(realm_access=overseer, tsur_scope="nyc"),
        issuer.token(realm_access=curator, tsur_scope="BRONX", tsur_topic_groups=["noise"]),
    )
    assert isinstance(district, Viewer)
    assert isinstance(groups, Viewer)
    assert district.scope == Scope(regions=tuple(sorted(catalogue.regions)))
    noise = {code for code, topic in catalogue.topics.items() if topic.group == "noise"}
    assert groups.scope is not None
    assert (groups.scope.region, set(groups.scope.topics or ())) == ("BRONX", noise)


def test_the_issuers_words_may_differ_from_ours(
    issuer: SmallIssuer, catalogue: Catalogue, tmp_path: Path
) -> None:
    text = """
    role.claim = "role"
    scope.claim = "unit"
    scope.values = { "Бронкс" = "BRONX" }
    """
    issued = tokens(issuer, catalogue, tmp_path, text)
    viewer, other, none = asked(
        issued,
        issuer.token(role="CURATOR", unit="Бронкс"),
        issuer.token(role="CURATOR", unit="BRONX"),
        issuer.token(role="SYSTEM", unit="Бронкс"),
    )
    assert isinstance(viewer, Viewer)
    assert (viewer.name, viewer.role, viewer.scope) == ("8c1e", Role.CURATOR, Scope("BRONX"))
    assert (other, none) == (NotPermitted, NotPermitted)


BAD_MAPPINGS = {
    "scope is missing": 'role.claim = "role"',
    "there is no roles": '[roles]\nclaim = "role"',
    "role is a table": 'role = "role"\nscope.claim = "scope"',
    "role.claim is the name": 'role.claim = 5\nscope.claim = "scope"',
    "'TSAR', which is no person's role": '[role]\nclaim = "r"\nvalues = {a = "TSAR"}\n'
    '[scope]\nclaim = "s"',
    "'SYSTEM', which is no person's": '[role]\nclaim = "r"\nvalues = {a = "SYSTEM"}\n'
    '[scope]\nclaim = "s"',
    "scope.values: 'MOSCOW'": '[role]\nclaim = "r"\n[scope]\nclaim = "s"\nvalues = {m = "MOSCOW"}',
    "no group of topics": '[role]\nclaim = "r"\n[scope]\nclaim = "s"\n[topic_groups]\nclaim = "t"\n'
    'values = {x = "magic"}',
    "list of words": '[role]\nclaim = "r"\n[scope]\nclaim = "s"\n[personal_data]\nclaim = "p"',
    "Expected '='": "role",
}


@pytest.mark.parametrize("complaint", BAD_MAPPINGS)
def test_a_mapping_that_says_nothing_sensible_stops_the_start(
    complaint: str, catalogue: Catalogue, tmp_path: Path
) -> None:
    (tmp_path / "claims.toml").write_text(BAD_MAPPINGS[complaint])
    with pytest.raises(ClaimsInvalid) as refusal:
        read_claims(tmp_path, NEW_YORK, catalogue)
    assert complaint in str(refusal.value)
    assert "claims.toml" in str(refusal.value)


def test_a_mapping_may_lie_with_the_catalogue_but_must_lie_somewhere(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    home, folder = tmp_path / "home", tmp_path / "catalogue"
    home.mkdir()
    folder.mkdir()
    with pytest.raises(ClaimsInvalid, match="neither"):
        read_claims(home, folder, catalogue)
    (folder / "claims.toml").write_text(CLAIMS_TOML)
    assert read_claims(home, folder, catalogue).name.path == ("preferred_username",)


def test_the_documents_show_a_mapping_that_works(
    issuer: SmallIssuer, russia: Catalogue, tmp_path: Path
) -> None:
    text = (CHECKOUT / "docs" / "operations.md").read_text().partition("```toml\nname.claim")[2]
    (tmp_path / "claims.toml").write_text("name.claim" + text.partition("```")[0])
    mapping = read_claims(tmp_path, RUSSIA, russia)
    claims = issuer.claims(
        realm_access={"roles": ["district-overseer"]}, centre_unit="Приволжский ФО", exp=2e9
    )
    viewer = mapping.viewer(claims, russia, skew=timedelta())
    assert viewer.role is Role.DISTRICT_OVERSEER
    assert viewer.scope is not None
    assert "63" in (viewer.scope.regions or ())
    assert viewer.expires_at == datetime.fromtimestamp(2e9, UTC)
    assert not viewer.personal_data


# Its keys


def test_a_new_key_is_found_and_a_withdrawn_one_forgotten(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    with small_issuer() as issuer:
        issued = tokens(issuer, catalogue, tmp_path, CLAIMS_TOML)
        seconds = issued.keys.clock
        assert isinstance(seconds, Seconds)
        old, new = issuer.token(), issuer.token(key=rsa_key("two"), kid="two")

        async def rotate() -> None:
            await issued.viewer(old)
            issuer.keys.append(jwk("two", rsa_key("two")))
            with pytest.raises(NotPermitted):  # it was fetched a moment ago
                await issued.viewer(new)
            seconds.now += PAUSE_SECONDS
            await issued.viewer(new)
            await issued.viewer(old)
            assert issuer.fetches == 2
            del issuer.keys[0]
            seconds.now += FRESH_SECONDS + 1
            await issued.viewer(old)  # known still: nobody waits while it is fetched
            assert issued.keys.fetching is not None
            await issued.keys.fetching
            with pytest.raises(NotPermitted):
                await issued.viewer(old)

        asyncio.run(rotate())


def test_whoever_invents_key_ids_makes_us_fetch_once(catalogue: Catalogue, tmp_path: Path) -> None:
    with small_issuer() as issuer:
        issued = tokens(issuer, catalogue, tmp_path, CLAIMS_TOML)
        invented = [issuer.token(kid=f"invented-{number}") for number in range(50)]

        async def all_at_once() -> list[Any]:
            return await asyncio.gather(*map(issued.viewer, invented), return_exceptions=True)

        assert {type(each) for each in asyncio.run(all_at_once())} == {NotPermitted}
        assert issuer.fetches == 1


def test_keys_are_kept_while_the_issuer_is_away_but_not_for_ever(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    with small_issuer() as issuer:
        issued = tokens(issuer, catalogue, tmp_path, CLAIMS_TOML)
        seconds, token = issued.keys.clock, issuer.token()
        assert isinstance(seconds, Seconds)
        issuer.away = True
        assert asked(issued, token) == [IssuerUnavailable]
        issuer.away = False
        assert asked(issued, token) == [IssuerUnavailable]  # not asked again at once
        seconds.now += PAUSE_SECONDS
        assert [type(each) for each in asked(issued, token)] == [Viewer]
        issuer.away = True
        seconds.now += FRESH_SECONDS + 1
        assert [type(each) for each in asked(issued, token, token)] == [Viewer, Viewer]
        seconds.now += KEPT_SECONDS_MAX
        assert asked(issued, token) == [IssuerUnavailable]
        assert asked(issued, "") == [NotPermitted]  # `Bearer` and nothing: no visitor


def test_a_slow_issuer_blocks_nobody_else(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def slow(issuer: str) -> dict[str, Any]:
        release.wait(5)
        return {"one": read_key(jwk("one", rsa_key("one")))}

    monkeypatch.setattr(issuer_keys, "fetch_keys", slow)
    issuer = SmallIssuer(url="http://127.0.0.1:1/realm")
    issued = tokens(issuer, catalogue, tmp_path, CLAIMS_TOML)

    async def both() -> None:
        waiting = asyncio.create_task(issued.viewer(issuer.token()))
        await asyncio.sleep(0)
        began = time.monotonic()
        assert await issued.viewer(None) is VISITOR
        with pytest.raises(NotPermitted):
            await issued.viewer("nonsense")
        assert time.monotonic() - began < 1
        assert not waiting.done()
        release.set()
        assert (await waiting).name == "petrova"

    asyncio.run(both())


def test_an_issuer_that_is_away_is_no_refusal(server: Server, template: str) -> None:
    with small_issuer() as issuer:
        issuer.away = True
        trusted, url = Issuer(issuer.url, AUDIENCE), fresh_database(server, template)
        with serving(url, issuer=trusted, claims=CLAIMS_TOML) as api:
            header = {"authorization": f"Bearer {issuer.token()}"}
            answer = api.client.post("/graphql", json={"query": "{ __typename }"}, headers=header)
            assert answer.status_code == 503
            assert answer.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
            assert api.ask("{ topics { code } }")
            assert api.client.get("/metrics", headers=header).status_code == 503


@pytest.mark.parametrize(
    "changes",
    [
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kid": 5},
        {"alg": "HS256"},
        {"alg": ["RS256"]},
        {"n": 5},
        {"d": "AQAB"},
        {"kty": "EC", "crv": "P-256"},
        {"kty": "EC", "crv": ["P-256"]},
    ],
    ids=str,
)
def test_a_key_of_another_use_checks_no_signature(changes: dict[str, Any]) -> None:
    assert read_key(jwk("one", rsa_key("one"))) is not None
    assert read_key(jwk("one", rsa_key("one")) | changes) is None


def test_a_weak_key_checks_no_signature() -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    assert read_key(jwk("weak", weak)) is None


@contextmanager
def claiming(issuer: SmallIssuer, url: str) -> Iterator[None]:
    """The issuer's discovery document names another one."""
    kept, issuer.url = issuer.url, url
    try:
        yield
    finally:
        issuer.url = kept


def test_an_issuer_that_calls_itself_otherwise_is_not_believed(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    with small_issuer() as issuer:
        issued = tokens(issuer, catalogue, tmp_path, CLAIMS_TOML)
        token = issuer.token()
        with claiming(issuer, "https://elsewhere.example"):
            assert asked(issued, token) == [IssuerUnavailable]


# Personal data


def test_claims_give_the_right_to_personal_data_and_each_opening_is_logged(
    url: str, catalogue: Catalogue, issuer: SmallIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    text = "{ incidents { edges { node { citizen { name } } } } }"
    trusted = Issuer(issuer.url, AUDIENCE)
    with (
        serving(url, issuer=trusted, claims=CLAIMS_TOML) as api,
        projecting(url, catalogue),
        node_on(url, catalogue) as node,
    ):
        registered(node.centre("BRONX"), citizen=Citizen(name="Анна Каренина", text="Тайна"))
        catch_up(url)
        allowed = issuer.token(realm_access={"roles": ["tsur-monitor", "tsur-personal-data"]})
        with caplog.at_level("INFO", "tsur.access"):
            (edge,) = api.ask(text, token=allowed)["incidents"]["edges"]
        assert edge["node"]["citizen"] == {"name": "Анна Каренина"}
        assert "petrova (MONITOR) opens" in caplog.text
        with psycopg.connect(url) as connection:
            logged = connection.execute("SELECT actor, outcome FROM access_log").fetchall()
        assert ("petrova", "OPENED") in logged
        assert api.refusal(text, token=issuer.token())[0] == "NOT_PERMITTED"
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM access_log").fetchone() == (
                len(logged),
            )


@dataclass
class CountingReader:
    """Names whoever a token is; `bad` is none."""

    valid_seconds: float
    asked: list[str | None] = field(default_factory=list)

    async def __call__(self, authorization: str | None) -> Viewer:
        self.asked.append(authorization)
        if authorization == "bad":
            raise NotPermitted
        expires_at = datetime.fromtimestamp(self.valid_seconds, UTC)
        return Viewer(str(authorization), Role.CURATOR, Scope("63"), expires_at=expires_at)


def test_a_token_is_read_once_a_minute_and_never_believed_after_it_expired() -> None:
    reader, clock = CountingReader(valid_seconds=100), iter((0, 30, 59.9, 60, 99.9, 100, 101, 102))
    who = Remembered(reader, clock=lambda: next(clock))
    for _ in range(7):
        assert asyncio.run(who("a")).name == "a"
    assert len(reader.asked) == 4  # at 0, at 60, and whenever only the issuer may say that it holds
    assert asyncio.run(who("b")).name == "b"


def test_a_token_is_one_however_it_is_padded() -> None:
    reader = CountingReader(valid_seconds=100)
    who = Remembered(reader, clock=lambda: 0.0)
    for padded in ("a", " a", "Bearer a", f"Bearer {' ' * 9999}a "):
        asyncio.run(who(padded))
    assert reader.asked == ["a"]
    assert len(who._known) == 1


def test_a_refused_token_is_read_again_each_time() -> None:
    reader = CountingReader(valid_seconds=100)
    who = Remembered(reader, clock=lambda: 0.0)
    for _ in range(2):
        with pytest.raises(NotPermitted):
            asyncio.run(who("bad"))
    assert asyncio.run(who(None)) is VISITOR
    assert reader.asked == ["bad", "bad"]


def test_no_more_tokens_are_remembered_than_there_is_room_for() -> None:
    reader = CountingReader(valid_seconds=100)
    who = Remembered(reader, clock=lambda: 0.0)
    names = [str(number) for number in range(3 * KEPT_MAX)]
    for name in [*names, *names]:
        assert asyncio.run(who(name)).name == name
    assert len(who._known) <= KEPT_MAX
