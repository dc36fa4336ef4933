import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsig.errors import UsageError
from imgsig.limits import Limits
from imgsig.transport import Credential
from imgsig.transport.docker_config import DockerConfig, parse_docker_config


def config(**members: object) -> DockerConfig:
    return parse_docker_config(json.dumps(members).encode())


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_what_docker_login_writes_is_read() -> None:
    read = config(
        auths={
            "registry.test": {"auth": encoded("alice:pass:word")},
            "other.test": {"username": "bob", "password": "secret"},
            "token.test": {"auth": encoded("00000000-0000:"), "identitytoken": "refresh"},
            "helped.test": {},
        },
        credHelpers={"helped.test": "ecr-login"},
        credsStore="secretservice",
        HttpHeaders={"User-Agent": "ignored"},
    )
    assert read.auths == {
        "registry.test": Credential("alice", "pass:word"),
        "other.test": Credential("bob", "secret"),
        "token.test": Credential("00000000-0000", "", "refresh"),
    }
    assert read.helpers == {"helped.test": "ecr-login"}
    assert read.store == "secretservice"


@pytest.mark.parametrize("body", [b"{}", b'{"auths":null,"credHelpers":null,"credsStore":null}', b'{"credsStore":""}'])
def test_a_configuration_without_logins_has_none(body: bytes) -> None:
    read = parse_docker_config(body)
    assert (read.auths, read.helpers, read.store) == ({}, {}, "")


def test_a_password_ends_before_padding_zeros() -> None:
    assert config(auths={"a.test": {"auth": encoded("alice:secret\0\0")}}).auths["a.test"].password == "secret"


@pytest.mark.parametrize("name", ["Keychain", "../evil", "a b", "a/b", "a;b", "", "é", 7, None, ["a"], "a\n"])
def test_a_helper_has_a_plain_name(name: object) -> None:
    with pytest.raises(UsageError, match=r"credHelpers\['a.test'\] must be a name of"):
        config(credHelpers={"a.test": name})


@pytest.mark.parametrize("name", ["../evil", 7, {"a": 1}])
def test_the_store_has_a_plain_name(name: object) -> None:
    with pytest.raises(UsageError, match="credsStore must be a name of"):
        config(credsStore=name)


@pytest.mark.parametrize(
    ("members", "where"),
    [
        ({"auths": ["s3cret"]}, "auths must be an object"),
        ({"auths": {"a.test": "s3cret"}}, r"auths\['a.test'\] must be an object"),
        ({"auths": {"a.test": {"auth": 5}}}, r"auths\['a.test'\].auth must be a string"),
        ({"auths": {"a.test": {"auth": "s3cret!"}}}, r"auths\['a.test'\].auth must be base64"),
        ({"auths": {"a.test": {"auth": "é"}}}, r"auths\['a.test'\].auth must be base64"),
        ({"auths": {"a.test": {"auth": encoded("s3cret")}}}, r"auths\['a.test'\].auth must be base64"),
        ({"auths": {"a.test": {"auth": encoded(":s3cret")}}}, r"auths\['a.test'\].auth must be base64"),
        ({"auths": {"a.test": {"auth": "/w=="}}}, r"auths\['a.test'\].auth must be base64"),
        ({"auths": {"a.test": {"identitytoken": 5}}}, r"auths\['a.test'\].identitytoken must be a string"),
        ({"credHelpers": "s3cret"}, "credHelpers must be an object"),
    ],
)
def test_a_fault_is_named_by_its_place_and_shows_nothing(members: dict[str, Any], where: str) -> None:
    with pytest.raises(UsageError, match=f"docker config.json: {where}") as raised:
        config(**members)
    assert "s3cret" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("body", [b"", b"s3cret", b"[]", b'{"auths":{},"auths":{}}', b'{"a":"\xff"}', b"[" * 100_000])
def test_what_is_no_strict_json_object_is_refused_without_showing_it(body: bytes) -> None:
    with pytest.raises(UsageError, match=r"^docker config.json") as raised:
        parse_docker_config(body)
    assert "s3cret" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_an_oversized_configuration_is_refused() -> None:
    with pytest.raises(UsageError, match="longer than 10 bytes"):
        parse_docker_config(b'{"a":"bbbbbb"}', limits=Limits(max_config_bytes=10))


@given(
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["auths", "auth", "credHelpers", "credsStore", "a"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_nothing_but_a_usage_error_comes_of_any_bytes(body: bytes) -> None:
    with suppress(UsageError):
        parse_docker_config(body)
