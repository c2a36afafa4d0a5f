"""Parsing of addresses: valid ones are accepted everywhere, others refused with a reason."""

import ipaddress
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from memory_service.addresses import HostPort, is_loopback, parse_host_port, parse_listen, parse_target
from memory_service.settings import Settings
from memory_service.valkey.url import parse_url

ports = st.integers(1, 65_535)
ipv4 = st.ip_addresses(v=4).map(str)
ipv6 = st.ip_addresses(v=6).map(str)
labels = st.from_regex(r"\A[a-z]([a-z0-9-]{0,20}[a-z0-9])?\Z")
names = st.lists(labels, min_size=1, max_size=4).map(".".join)
hosts = ipv4 | ipv6 | names
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
address_like = st.text(st.sampled_from("[]:.-%/@,0123456789abfu localhostunix"), max_size=30)


def outcome(parse: Callable[[str], Any], text: str) -> tuple[Any, str]:
    """Return the parsed value, or the reason of the refusal."""
    try:
        return parse(text), ""
    except ValueError as error:
        return None, str(error)


@given(hosts, ports)
def test_host_and_port_are_parsed_with_and_without_brackets(host: str, port: int) -> None:
    address = HostPort(host, port)
    assert parse_host_port(str(address)) == address
    assert parse_host_port(f"{host}:{port}") == address, "IPv6 without brackets, if a port follows"
    assert parse_listen(f"{host}:{port}") == parse_target(f"{host}:{port}") == str(address)
    assert parse_target(f"dns:///{address}") == f"dns:///{address}"


@given(hosts, st.integers(65_536, 10**8) | st.just(0))
def test_a_port_out_of_range_is_refused(host: str, port: int) -> None:
    for parse in (parse_host_port, parse_target):
        with pytest.raises(ValueError, match="out of range: use 1 to 65535"):
            parse(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    if port:
        with pytest.raises(ValueError, match="use 0 to 65535"):
            parse_listen(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    else:
        assert parse_listen(f"{host}:0").endswith(":0")


@given(anything | address_like)
@example("localhost")
@example("127.0.0.256:1")
@example("[::1]")
@example("[::1")
@example("[localhost]:1")
@example("[::1]x:1")
@example("::1")
@example(":50051")
@example("h:５００")
@example("h:+1")
@example("h: 1")
@example("https://h:1")
@example("unix:")
@example("dns:///h")
def test_any_text_is_an_address_or_refused_with_a_reason(text: str) -> None:
    for parse in (parse_listen, parse_target):
        parsed, refusal = outcome(parse, text)
        if refusal:
            assert len(refusal.splitlines()) == 1
            continue
        if not parsed.startswith(("unix", "dns:", "ipv4:", "ipv6:")):
            host, _, port = parsed.rpartition(":")
            assert 0 <= int(port) <= 65_535
            if host.startswith("["):
                ipaddress.IPv6Address(host[1:-1])
        assert parse(parsed) == parsed


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("localhost", "no port"),
        ("foo", "no port"),
        ("", "no port"),
        ("::1", "neither a host name nor an IP address"),
        ("2001:db8::1", "neither a host name nor an IP address"),
        (":1", "no host"),
        ("h:99999", "out of range"),
        ("h:http", "not a port"),
        ("http://h:1", "leave out http://"),
        ("h/x:1", "neither a host name"),
        ("user@h:1", "neither a host name"),
        ("dns:///h", "no port"),
        ("ipv4:1.2.3.4", "no port"),
        ("unix:", "needs a path"),
    ],
)
def test_a_refused_address_has_its_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_target(text)


@given(hosts, ports, st.booleans())
def test_a_valkey_url_takes_the_same_hosts_with_ipv6_in_brackets(host: str, port: int, given_port: bool) -> None:
    written = f"[{host}]" if ":" in host else host
    [address] = parse_url(f"valkey://:secret@{written}{f':{port}' if given_port else ''}").addresses
    assert (address.host, address.port) == (host, port if given_port else 6379)
    if ":" in host:
        with pytest.raises(ValueError, match="in brackets"):
            parse_url(f"valkey://{host}")


@given(anything | address_like, anything)
@example("h:1#", "")
@example("ℂ", "")
@example("[h", "")
def test_errors_of_a_valkey_url_do_not_contain_its_password(host: str, more: str) -> None:
    for password in ("hunter2", quote(f"hunter2{more}", safe=""), f"hunter2{more}"):
        _, refusal = outcome(parse_url, f"valkey://me:{password}@{host}")
        assert "hunter2" not in refusal


SETTINGS: list[tuple[str, Callable[[str], str]]] = [
    ("listen", str),
    ("health_listen", str),
    ("metrics_listen", str),
    ("valkey_url", lambda address: f"valkey://{address}"),
]


def settings(name: str, value: str) -> Settings:
    changes: dict[str, Any] = {name: value, "insecure": True}
    return Settings(**changes)


@pytest.mark.parametrize(("name", "written"), SETTINGS)
@pytest.mark.parametrize("address", ["h:99999", "h:-1", "h:x", "[::1:1", "[h]:1", "127.0.0.256:1", ":1", "a b:1"])
def test_every_address_setting_refuses_invalid_addresses(
    name: str, written: Callable[[str], str], address: str
) -> None:
    with pytest.raises(ValidationError):
        settings(name, written(address))


@pytest.mark.parametrize(("name", "written"), SETTINGS)
@pytest.mark.parametrize("address", ["h:65535", "127.0.0.1:1", "[::1]:50051", "a-b.c_d.example:80"])
def test_every_address_setting_accepts_valid_addresses(name: str, written: Callable[[str], str], address: str) -> None:
    assert settings(name, written(address))


@pytest.mark.parametrize(
    ("listen", "local"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("::1:1", True),
        ("unix:/run/x", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("localhost.example:1", False),
        ("192.0.2.1:1", False),
    ],
)
def test_only_loopback_addresses_are_local(listen: str, local: bool) -> None:
    assert is_loopback(parse_listen(listen)) == local
