"""Valkey URLs: their parts, defaults and errors."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_service.valkey import Address
from memory_service.valkey.url import parse_url

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(words, words.filter(bool), st.lists(st.integers(1, 65535), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_every_part_of_a_url_is_parsed(user: str, password: str, ports: list[int], tls: bool, cluster: bool) -> None:
    hosts = ",".join(f"node{number}:{port}" for number, port in enumerate(ports))
    scheme = "valkeys" if tls else "valkey"
    query = "/?cluster=true" if cluster else ""
    settings = parse_url(f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{hosts}{query}")
    assert settings.addresses == tuple(Address(f"node{number}", port) for number, port in enumerate(ports))
    assert (settings.tls, settings.cluster) == (tls, cluster)
    assert (settings.username, settings.password) == (user or None, password)


def test_omitted_parts_of_a_url_have_defaults() -> None:
    settings = parse_url("valkey://cache.example.internal")
    assert settings.addresses == (Address("cache.example.internal", 6379),)
    assert (settings.tls, settings.cluster, settings.username, settings.password) == (False, False, None, None)
    assert parse_url("valkey://[::1]:7000").addresses == (Address("::1", 7000),)


def test_the_ca_option_reads_a_file(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(b"PEM")
    assert parse_url(f"valkeys://h/?ca={file}").tls_ca == b"PEM"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://localhost",
        "valkey://",
        "valkey://h:0",
        "valkey://h:65536",
        "valkey://h:port",
        "valkey://a,,b",
        "valkey://h/1",
        "valkey://h/?cluster=maybe",
        "valkey://h/?clusters=true",
        "valkey://u:secret@h#x",
        "valkeys://u:secret@h/?iam=elasticache:eu-west-1:c",
        "valkeys://h/?iam=elasticache:eu-west-1:c",
        "valkey://u@h/?iam=elasticache:eu-west-1:c",
        "valkeys://u@h/?iam=dynamodb:eu-west-1:c",
        "valkeys://u@h/?iam=elasticache",
    ],
)
def test_invalid_urls_are_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(ValueError, match=re.compile("must|needs|has")) as caught:
        parse_url(url)
    assert "secret" not in str(caught.value)
