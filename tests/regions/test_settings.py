"""Settings: what may be set from outside, and what is refused by name."""

import traceback
from pathlib import Path

import pytest

from regions.settings import (
    SHIPPED_CATALOGUES,
    Budget,
    Issuer,
    SettingInvalid,
    Settings,
    logs_are_json,
    read_settings,
)
from tests.conftest import NEW_YORK


def test_without_any_setting_there_is_a_node_of_russia_on_this_machine_only() -> None:
    assert read_settings({}) == Settings(
        home=Path.cwd() / ".tsur",
        database_url=None,
        host="127.0.0.1",
        port=8000,
        catalogue=SHIPPED_CATALOGUES / "russia",
    )


def test_an_empty_setting_is_no_setting() -> None:
    names = ("TSUR_HOME", "TSUR_DATABASE_URL", "TSUR_HOST", "TSUR_PORT", "TSUR_CATALOGUE")
    assert read_settings(dict.fromkeys(names, "")) == read_settings({})


def test_every_setting_can_be_set(tmp_path: Path) -> None:
    environ = {
        "TSUR_HOME": str(tmp_path),
        "TSUR_DATABASE_URL": "postgresql:///tsur",
        "TSUR_HOST": "::",
        "TSUR_PORT": "65535",
        "TSUR_CATALOGUE": str(NEW_YORK),
        "TSUR_MACHINE": "front",
    }
    assert read_settings(environ) == Settings(
        tmp_path, "postgresql:///tsur", "::", 65535, NEW_YORK, machine="front"
    )


def test_paths_are_taken_from_where_we_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(NEW_YORK.parent)
    settings = read_settings({"TSUR_HOME": "home", "TSUR_CATALOGUE": NEW_YORK.name})
    assert (settings.home, settings.catalogue) == (NEW_YORK.parent / "home", NEW_YORK)


@pytest.mark.parametrize(
    "url",
    [
        "postgres//api:s3cret@db.example/tsur",
        "postgresql://api:s3%zzcret@db.example/tsur",
        "postgresql://api:s3 cret@db.example/tsur",
        "postgresql://api:s3/cret@db.example/tsur",
        "postgresql://api:p@s3cret@db.example/tsur",
        "host=db.example password='s3cret",
    ],
)
def test_a_password_in_an_address_that_is_none_is_not_told(url: str) -> None:
    with pytest.raises(SettingInvalid, match="TSUR_DATABASE_URL") as refused:
        read_settings({"TSUR_DATABASE_URL": url})
    assert "cret" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://api:p%40ss@db.example:5432/tsur",
        "host=/run/a@b,@abstract port=1,2",
        "dbname=x",
    ],
)
def test_any_address_of_libpq_is_taken(url: str) -> None:
    settings = read_settings({"TSUR_DATABASE_URL": url})
    assert settings.database_url == url
    assert url not in repr(settings)


def test_a_home_that_is_no_folder_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingInvalid, match="TSUR_HOME is a folder"):
        read_settings({"TSUR_HOME": str(tmp_path / "file")})


@pytest.mark.parametrize("port", ["0", "65536", "-1", "80.0", "http", " 80", "²", "99999999999"])
def test_a_port_that_is_none_is_refused_by_name(port: str) -> None:
    with pytest.raises(SettingInvalid, match="TSUR_PORT"):
        read_settings({"TSUR_PORT": port})


@pytest.mark.parametrize("catalogue", ["atlantis", "/nowhere", "russia/topics.csv"])
def test_a_catalogue_that_is_nowhere_is_refused_by_name(catalogue: str) -> None:
    with pytest.raises(SettingInvalid, match=f"TSUR_CATALOGUE.*{catalogue}"):
        read_settings({"TSUR_CATALOGUE": catalogue})


def test_a_budget_is_two_numbers() -> None:
    name = "TSUR_BUDGET_POINTS"
    assert read_settings({name: "7", f"{name}_PER_SECOND": "5"}).budget == Budget(7, 5)
    for absurd in ("0", "-1", "1.5", "many"):
        with pytest.raises(SettingInvalid, match=f"{name} is"):
            read_settings({name: absurd})


def test_an_issuer_has_an_address_and_an_audience() -> None:
    both = {"TSUR_OIDC_ISSUER": "https://id.example/realm", "TSUR_OIDC_AUDIENCE": "tsur"}
    assert read_settings(both).issuer == Issuer("https://id.example/realm", "tsur")
    assert read_settings(both | {"TSUR_OIDC_ISSUER": "http://localhost:8080/realm"}).issuer
    for name, value in both.items():
        with pytest.raises(SettingInvalid, match="set both"):
            read_settings({name: value})


@pytest.mark.parametrize(
    "issuer",
    [
        *("id.example", "http://id.example", "https://", "ftp://id.example"),
        *("https://user@id.example", "https://id.example/?realm=1", "https://id.example/#realm"),
    ],
)
def test_an_issuer_without_protection_is_refused_by_name(issuer: str) -> None:
    with pytest.raises(SettingInvalid, match="TSUR_OIDC_ISSUER"):
        read_settings({"TSUR_OIDC_ISSUER": issuer, "TSUR_OIDC_AUDIENCE": "tsur"})


def test_introspection_is_on_or_off() -> None:
    assert read_settings({"TSUR_INTROSPECTION": "off"}).introspection is False
    assert read_settings({"TSUR_INTROSPECTION": "on"}).introspection is True
    with pytest.raises(SettingInvalid, match="TSUR_INTROSPECTION"):
        read_settings({"TSUR_INTROSPECTION": "no"})


def test_a_time_is_a_number_of_seconds() -> None:
    assert read_settings({"TSUR_SLOW_SECONDS": "0.25"}).slow_seconds == 0.25
    for wrong in ("-1", "1s", "inf", "nan", "1e9", " 1"):
        with pytest.raises(SettingInvalid, match="TSUR_SLOW_SECONDS"):
            read_settings({"TSUR_SLOW_SECONDS": wrong})


def test_traces_go_to_an_http_address() -> None:
    name = "OTEL_EXPORTER_OTLP_ENDPOINT"
    assert read_settings({name: "http://collector:4318"}).traces_endpoint == "http://collector:4318"
    with pytest.raises(SettingInvalid, match=name):
        read_settings({name: "collector:4317"})


def test_the_log_is_text_or_json() -> None:
    assert [logs_are_json({"TSUR_LOG": each}) for each in ("", "text", "json")] == [0, 0, 1]
    with pytest.raises(SettingInvalid, match="TSUR_LOG"):
        logs_are_json({"TSUR_LOG": "xml"})
