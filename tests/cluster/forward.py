"""Forward a TCP port to a unix socket: `python -m tests.cluster.forward ADDRESS PORT SOCKET`.

The embedded PostgreSQL listens on a unix socket alone; this gives it an address on a network.
"""

import asyncio
import sys
from contextlib import suppress

BLOCK_BYTES = 1 << 16


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while block := await reader.read(BLOCK_BYTES):
            writer.write(block)
            await writer.drain()
    writer.close()


async def main(address: str, port: int, socket: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_socket, to_socket = await asyncio.open_unix_connection(socket)
        await asyncio.gather(pump(reader, to_socket), pump(from_socket, writer))

    server = await asyncio.start_server(serve, address, port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
