"""A name server whose answer can be changed, for clients that find their servers by DNS."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dns.flags
import dns.message
import dns.rdataclass
import dns.rdatatype
import dns.rrset


class NameServer(asyncio.DatagramProtocol):
    """Answers every query for an IPv4 address with `addresses`, and every other query with nothing."""

    def __init__(self, addresses: list[str]) -> None:
        self.addresses = addresses
        self.authority = ""
        """Host and port of the name server."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        host, port = transport.get_extra_info("sockname")
        self.authority = f"{host}:{port}"

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA | dns.flags.RA
        question = query.question[0]
        if question.rdtype == dns.rdatatype.A:
            answer.answer.append(dns.rrset.from_text(question.name, 0, dns.rdataclass.IN, "A", *self.addresses))
        self._transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def name_server(*addresses: str) -> AsyncIterator[NameServer]:
    """Run a name server at a free port."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: NameServer(list(addresses)), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()
