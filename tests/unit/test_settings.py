import os
from collections.abc import Callable

import pytest
from pydantic import SecretStr, ValidationError

from worker.codec import Codec
from worker.errors import ConfigurationError
from worker.redis_url import split_sentinel_url
from worker.settings import Settings, load_settings, unknown_variables
from worker.settings_table import settings_table

SECRET = "hunter2-hunter2-hunter2"
Environment = Callable[..., None]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Remove all settings from the environment, and return a function that sets variables in it."""
    for variable in list(os.environ):
        if variable.lower() in Settings.model_fields:
            monkeypatch.delenv(variable)

    def put(**variables: str) -> None:
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)

    return put


def test_an_empty_environment_gives_the_defaults(environment: Environment) -> None:
    settings = load_settings()
    assert settings.worker_max_jobs == 300
    assert settings.mongodb_database == "Hospital_Optics"
    assert settings.queue_slots() == {"arq:queue": 300, "arq:queue:bulk": 6}
    redis_url = "redis://127.0.0.1:6379/0"  # lint: allow port: compared, not connected to
    assert settings.redis_url.get_secret_value() == redis_url
    assert settings.signing_secrets() == {}
    assert settings.queue_tracing == "off"


def test_variables_are_read_and_overrides_take_precedence(environment: Environment) -> None:
    environment(WORKER_MAX_JOBS="7", WORKER_QUEUES="b, a=2", MONGODB_DRIVER="pymongo", REDIS_TIMEOUT="")
    settings = load_settings(worker_max_jobs=9)
    assert (settings.worker_max_jobs, settings.queue_slots()) == (9, {"b": 9, "a": 2})
    assert (settings.mongodb_driver, settings.redis_timeout) == ("pymongo", 5)


@pytest.mark.parametrize(
    ("queues", "max_jobs", "slots"),
    [
        ("arq:queue,arq:queue:bulk", 1_000, {"arq:queue": 1_000, "arq:queue:bulk": 20}),
        ("arq:queue,arq:queue:bulk", 20, {"arq:queue": 20, "arq:queue:bulk": 4}),
        ("arq:queue,arq:queue:bulk", 1, {"arq:queue": 1, "arq:queue:bulk": 1}),
        ("arq:queue:bulk", 300, {"arq:queue:bulk": 300}),
        ("arq:queue=5,arq:queue:bulk=70,reports=500", 300, {"arq:queue": 5, "arq:queue:bulk": 70, "reports": 300}),
    ],
)
def test_each_queue_gets_its_slots(
    environment: Environment, queues: str, max_jobs: int, slots: dict[str, int]
) -> None:
    environment(WORKER_QUEUES=queues, WORKER_MAX_JOBS=str(max_jobs))
    assert load_settings().queue_slots() == slots


@pytest.mark.parametrize(("variable", "advice"), [("WORKER_LANES", "WORKER_QUEUES"), ("WORKER_ENGINE", "remove")])
def test_a_variable_of_an_earlier_version_is_refused_instead_of_ignored(
    monkeypatch: pytest.MonkeyPatch, variable: str, advice: str
) -> None:
    monkeypatch.setenv(variable, SECRET)
    with pytest.raises(ConfigurationError, match=rf"^{variable}: .*{advice}") as refused:
        load_settings()
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "variables",
    [
        {"WORKER_DEAD_LETTER_FOLDER": "/dead"},
        {"WORKER_DEAD_LETTER_COUNT": "0"},
        {"WORKER_DEAD_LETTER_DAYS": "30"},
        {"WORKER_DEAD_LETTER_BYTES": "1000000"},
    ],
    ids=str,
)
def test_bounds_of_dead_letters_and_their_folder_need_each_other(
    environment: Environment, variables: dict[str, str]
) -> None:
    environment(**variables)
    with pytest.raises(ConfigurationError, match="no dead letter is dropped"):
        load_settings()


def test_dead_letters_have_no_bound_by_default(environment: Environment) -> None:
    environment()
    settings = load_settings()
    assert settings.worker_dead_letter_folder == ""
    environment(WORKER_DEAD_LETTER_FOLDER="/dead", WORKER_DEAD_LETTER_COUNT="0")
    assert load_settings().worker_dead_letter_count == 0


def test_queues_are_bounded_by_their_names(environment: Environment) -> None:
    assert load_settings().queue_bounds == {}
    environment(QUEUE_BOUNDS=" arq:queue = 100000 , arq:queue:bulk=2000")
    assert load_settings().queue_bounds == {"arq:queue": 100_000, "arq:queue:bulk": 2_000}
    environment(QUEUE_BOUNDS="arq:queue:reports=5", WORKER_QUEUES="arq:queue,arq:queue:reports=20")
    assert load_settings().queue_bounds == {"arq:queue:reports": 5}


def test_queues_have_rates_and_sources_have_queues(environment: Environment) -> None:
    settings = load_settings()
    assert (settings.queue_rates, settings.source_queues) == ({}, {})
    environment(WORKER_QUEUES="arq:queue,arq:queue:cms=100", QUEUE_RATES=" arq:queue:cms = 500 , arq:queue=0.5")
    environment(SOURCE_QUEUES="cms = arq:queue:cms, mac=arq:queue:cms,moh=arq:queue:bulk")
    settings = load_settings()
    assert settings.queue_rates == {"arq:queue:cms": 500, "arq:queue": 0.5}
    assert settings.source_queues == {"cms": "arq:queue:cms", "mac": "arq:queue:cms", "moh": "arq:queue:bulk"}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("QUEUE_BOUNDS", "arq:queue:cmss=5"),
        ("QUEUE_RATES", "arq:queue:cmss=5"),
        ("SOURCE_QUEUES", "cms=arq:queue:cmss"),
    ],
)
def test_a_queue_that_no_worker_is_known_to_serve_is_refused(
    environment: Environment, variable: str, value: str
) -> None:
    environment(**{variable: value})
    with pytest.raises(
        ConfigurationError, match=f"^{variable}: each queue must be .* or one that WORKER_QUEUES names"
    ):
        load_settings()


def test_a_third_queue_must_say_how_many_slots_it_gets(environment: Environment) -> None:
    environment(WORKER_QUEUES="arq:queue,arq:queue:bulk,arq:queue:reports")
    with pytest.raises(ConfigurationError, match="needs its number of slots, such as arq:queue:reports=20"):
        load_settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REDIS_URL", f"http://:{SECRET}@host"),
        ("REDIS_URL", SECRET),
        ("REDIS_URL", f"redis://:{SECRET}/x@host:1/0"),
        ("REDIS_URL", f"redis://[{SECRET}"),
        ("MONGODB_URL", f"postgres://u:{SECRET}@host"),
        ("MONGODB_DATABASE", "a.b"),
        ("MONGODB_DATABASE", "admin"),
        ("REDIS_URL", "redis://host/main"),
        ("REDIS_URL", f"redis+sentinel://:{SECRET}@host:1"),
        ("REDIS_URL", f"redis+sentinel://:{SECRET}@host:1/"),
        ("REDIS_URL", f"redis+sentinel://:{SECRET}@host:1/main/x"),
        ("REDIS_URL", f"redis+sentinel://:{SECRET}@host:1,/main"),
        ("REDIS_URL", f"redis+sentinel://:{SECRET}@host:1,host:65536/main"),
        ("REDIS_URL", f"redis+sentinel://:{SECRET}/x@host:1/main"),
        ("REDIS_URL", f"redis+sentinel://:{SECRET}@host:{SECRET}/main"),
        ("REDIS_URL", f"rediss+sentinel:{SECRET}"),
        ("MONGODB_DATABASE", SECRET + "\n"),
        ("MONGODB_DRIVER", SECRET),
        ("MONGODB_POOL_SIZE", "0"),
        ("MONGODB_TIMEOUT", "nan"),
        ("MONGODB_TIMEOUT", "inf"),
        ("MONGODB_SELECTION_TIMEOUT", "-1"),
        ("REDIS_TIMEOUT", SECRET),
        ("REDIS_POOL_SIZE", "1"),
        ("WORKER_QUEUES", ","),
        ("WORKER_QUEUES", f"{SECRET},{SECRET}"),
        ("WORKER_QUEUES", f"arq:queue,arq:queue:bulk,{SECRET}"),
        ("WORKER_QUEUES", f"{SECRET}=0"),
        ("WORKER_QUEUES", f"{SECRET}={SECRET}"),
        ("WORKER_QUEUES", f"{SECRET}="),
        ("WORKER_MAX_JOBS", "7.5"),
        ("WORKER_MAX_JOBS", "9" * 5_000),
        ("WORKER_MAX_TRIES", "0"),
        ("WORKER_LEASE", "0.5"),
        ("WORKER_GRACE_PERIOD", "-1"),
        ("WORKER_KEEP_RESULT", "0"),
        ("WORKER_POLL_DELAY", "0"),
        ("WORKER_JOB_TIMEOUT", "1e9"),
        ("LOG_LEVEL", SECRET),
        ("LOG_FORMAT", SECRET),
        ("QUEUE_TRACING", SECRET),
        ("QUEUE_TRACING", "on"),
        ("QUEUE_BOUNDS", SECRET),
        ("QUEUE_BOUNDS", "arq:queue"),
        ("QUEUE_BOUNDS", "arq:queue=0"),
        ("QUEUE_BOUNDS", "arq:queue=-1"),
        ("QUEUE_BOUNDS", "arq:queue=many"),
        ("QUEUE_BOUNDS", "arq:queue=1,arq:queue=2"),
        ("QUEUE_BOUNDS", f"{SECRET}=5"),
        ("QUEUE_RATES", SECRET),
        ("QUEUE_RATES", "arq:queue=0"),
        ("QUEUE_RATES", "arq:queue=-1"),
        ("QUEUE_RATES", "arq:queue=1e9"),
        ("QUEUE_RATES", "arq:queue=inf"),
        ("QUEUE_RATES", "arq:queue=1,arq:queue=2"),
        ("QUEUE_RATES", f"{SECRET}=5"),
        ("SOURCE_QUEUES", SECRET),
        ("SOURCE_QUEUES", "cms="),
        ("SOURCE_QUEUES", "=arq:queue"),
        ("SOURCE_QUEUES", "cms=arq:queue,cms=arq:queue:bulk"),
        ("SOURCE_QUEUES", f"{SECRET.upper()}=arq:queue"),
        ("SOURCE_QUEUES", "name=arq:queue"),
        ("SOURCE_QUEUES", f"cms={SECRET}"),
        ("QUEUE_SIGNING_KEYS", SECRET),
        ("QUEUE_SIGNING_KEYS", f":{SECRET}"),
        ("QUEUE_SIGNING_KEYS", f"a:b:{SECRET}, short:1"),
        ("QUEUE_SIGNING_KEYS", f"k:{SECRET},k:{SECRET}"),
        ("QUEUE_SIGNING_KEYS", f"é:{SECRET}"),
        ("QUEUE_SIGNING_KEYS", f"a b:{SECRET}"),
    ],
)
def test_an_invalid_variable_is_reported_in_one_line_without_its_value(
    environment: Environment, variable: str, value: str
) -> None:
    environment(**{variable: value})
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    message = str(caught.value)
    assert message.startswith(f"{variable}: ")
    assert "\n" not in message
    assert SECRET not in message
    assert value not in message.removeprefix(variable) or len(value) < 4
    assert caught.value.__suppress_context__


def test_a_sentinel_url_is_parsed() -> None:
    url = split_sentinel_url(
        "rediss+sentinel://user:p%40ss@one:1,two,[::1]:3/main/4?ssl_ca_certs=/ca.pem"
        "&sentinel_username=eye&sentinel_password=p%25+w"
    )

    assert url is not None
    assert url.sentinels == (("one", 1), ("two", 26_379), ("::1", 3))
    assert (url.master, url.tls) == ("main", True)
    assert url.login == {"username": "eye", "password": "p%+w"}
    assert url.plain == "rediss://user:p%40ss@master/4?ssl_ca_certs=/ca.pem"
    for shown in (repr(url), str(url)):
        assert "p%" not in shown
    assert split_sentinel_url("redis://host:1/0") is None


def test_every_invalid_variable_has_its_own_line(environment: Environment) -> None:
    environment(REDIS_TIMEOUT="x", WORKER_MAX_JOBS="y", LOG_LEVEL="z")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert [line.partition(":")[0] for line in str(caught.value).split("\n")] == [
        "REDIS_TIMEOUT",
        "WORKER_MAX_JOBS",
        "LOG_LEVEL",
    ]


@pytest.mark.parametrize(("timeout", "accepted"), [("5", True), ("5.01", False)])
def test_a_redis_timeout_is_at_most_half_a_lease(environment: Environment, timeout: str, accepted: bool) -> None:
    environment(REDIS_TIMEOUT=timeout, WORKER_LEASE="10")
    if accepted:
        assert load_settings().redis_timeout == 5
    else:
        with pytest.raises(ConfigurationError, match=r"^REDIS_TIMEOUT must be at most half of WORKER_LEASE"):
            load_settings()


def test_secrets_are_never_shown(environment: Environment) -> None:
    environment(
        REDIS_URL=f"redis://:{SECRET}@localhost:1",
        MONGODB_URL=f"mongodb://user:{SECRET}@localhost",
        QUEUE_SIGNING_KEYS=f"new:{SECRET}+1, old:{SECRET}:2",
    )
    settings = load_settings()
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert SECRET not in shown
    assert settings.signing_secrets() == {"new": f"{SECRET}+1", "old": f"{SECRET}:2"}
    assert list(settings.signing_secrets()) == ["new", "old"]
    with pytest.raises(ValidationError) as caught:
        settings.redis_url = SecretStr("redis://")  # type: ignore[misc] # frozen, to mypy too
    assert SECRET not in str(caught.value)


def test_a_signing_key_of_raw_bytes_signs_as_those_bytes(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUEUE_SIGNING_KEYS", os.fsdecode(b"k:0123456789abcdef\xff"))
    codec = Codec(load_settings().signing_secrets())
    message: dict[str, object] = {"t": None, "f": "x", "a": [], "k": {}, "et": 1}
    assert codec.decode(codec.encode(message)) == message


def test_the_table_has_a_row_for_each_setting() -> None:
    rows = settings_table().splitlines()[2:]
    assert [row.split("`")[1].lower() for row in rows] == list(Settings.model_fields)
    assert "| `WORKER_MAX_JOBS` | `300` |" in settings_table()
    assert "| `QUEUE_SIGNING_KEYS` | none |" in settings_table()
    assert "*" not in settings_table()


def test_a_misspelled_variable_is_found() -> None:
    environment = {"WORKER_MAX_JOB": "1", "WORKER_MAX_JOBS": "1", "worker_max": "1", "WORKERS": "1", "REDIS_X": "1"}
    assert unknown_variables(environment) == ["WORKER_MAX_JOB"]
