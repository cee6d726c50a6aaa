"""Private networks stay out of reach, however they are spelt."""

from __future__ import annotations

import socket

import pytest

from gateway.events import guard
from gateway.events.guard import ForbiddenAddress, GuardedResolver, forbidden, guarded_socket


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
        "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.168.1.1",
        "198.18.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "168.63.129.16", "192.0.2.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1",
        "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2001:db8::1",
        "2001::1", "100::1", "5f00::1", "", "localhost", "127.1",
    ],
)  # fmt: skip
def test_forbidden(address):
    assert forbidden(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1",
        "169.253.0.1", "192.0.1.1", "198.20.0.1", "223.255.255.255", "168.63.129.17",
        "2606:4700:4700::1111", "2a00:1450:4009::1", "2001:4860:4860::8888", "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ],
)  # fmt: skip
def test_allowed(address):
    assert forbidden(address) is None


def answer(*addresses: str):
    return [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (one, 443, 0, 0))
        if ":" in one
        else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 443))
        for one in addresses
    ]


@pytest.fixture
async def resolver():
    resolver = GuardedResolver(allow_private=False)
    yield resolver
    await resolver.close()


async def test_only_checked_addresses_leave_the_resolver(resolver, monkeypatch):
    asked = []

    def look_up(*question):
        asked.append(question)
        return answer("10.0.0.1", "8.8.8.8", "::ffff:10.0.0.1", "2606:4700:4700::1111")

    monkeypatch.setattr(guard, "_look_up", look_up)
    found = await resolver.resolve("c.example", 443)
    assert [one["host"] for one in found] == ["8.8.8.8", "2606:4700:4700::1111"]
    # Numeric from here on: nothing asks a name server again.
    assert all(one["flags"] & socket.AI_NUMERICHOST for one in found)
    assert len(asked) == 1


async def test_a_name_with_private_addresses_only(resolver, monkeypatch):
    monkeypatch.setattr(guard, "_look_up", lambda *_: answer("10.0.0.1", "::1"))
    with pytest.raises(ForbiddenAddress):
        await resolver.resolve("c.example", 443)


@pytest.mark.parametrize("name", ["localhost", "127.1", "0x7f000001", "2130706433"])
async def test_real_names_of_this_machine(resolver, name):
    with pytest.raises(ForbiddenAddress):
        await resolver.resolve(name, 443)


async def test_the_switch(monkeypatch):
    resolver = GuardedResolver(allow_private=True)
    monkeypatch.setattr(guard, "_look_up", lambda *_: answer("10.0.0.1"))
    assert [one["host"] for one in await resolver.resolve("c.example", 443)] == ["10.0.0.1"]
    await resolver.close()


def test_no_socket_is_made_for_a_private_address():
    for private in answer("127.0.0.1", "::1"):
        with pytest.raises(ForbiddenAddress):
            guarded_socket(private)
    guarded_socket(answer("8.8.8.8")[0]).close()
