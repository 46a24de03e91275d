"""`python -m benchmarks.standin TAPE`: stands in for AWS on loopback, with the answers of a tape.

Owns what travels: DynamoDB's and the management API's responses as their clients expect them.
It has a process of its own, so that its CPU is nobody's who is measured.
"""

import asyncio
import sys
from binascii import crc32
from pathlib import Path

import msgspec
from aiohttp import web

from benchmarks.tape import Tape, answer_key
from robosignal.loadtest.gauge import answer

JSON_1_0 = "application/x-amz-json-1.0"
TARGET = "X-Amz-Target"
REQUEST_ID = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEF"


class StandIn:
    """DynamoDB, the management API, an issuer's keys, and how many calls there were."""

    def __init__(self, tape: Tape) -> None:
        self._answers = {key: body.encode() for key, body in tape.answers.items()}
        self._jwks = msgspec.json.encode(tape.jwks)
        self._calls = 0

    def routes(self) -> list[web.RouteDef]:
        """Return where each of them is."""
        return [
            web.post("/", self._dynamodb),
            web.post("/prod/@connections/{id}", self._management),
            web.get("/jwks.json", self._keys),
            web.get("/calls", self._count),
        ]

    async def _dynamodb(self, request: web.Request) -> web.Response:
        self._calls += 1
        asked = msgspec.json.decode(await request.read())
        operation = request.headers[TARGET].partition(".")[2]
        body = self._answers.get(answer_key(operation, asked["TableName"]))
        if body is None:
            return web.Response(status=400, body=b'{"__type":"ValidationException"}')
        headers = {
            "Content-Type": JSON_1_0,
            "x-amzn-RequestId": REQUEST_ID,
            "x-amz-crc32": str(crc32(body)),
        }
        return web.Response(body=body, headers=headers)

    async def _management(self, request: web.Request) -> web.Response:
        self._calls += 1
        await request.read()
        return web.Response(headers={"x-amzn-RequestId": REQUEST_ID})

    async def _keys(self, _: web.Request) -> web.Response:
        return web.Response(body=self._jwks, content_type="application/json")

    async def _count(self, _: web.Request) -> web.Response:
        return web.Response(text=str(self._calls))


async def main(tape: Tape) -> None:
    """Serve a tape until standard input ends."""
    app = web.Application()
    app.add_routes(StandIn(tape).routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    await answer({"url": f"http://{host}:{port}"})
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Tape)))
