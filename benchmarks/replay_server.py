"""`python -m benchmarks.replay_server RECORDING`: answers as AWS did in a recording, on loopback.

It has a process of its own, so that its CPU is not counted for what is measured.
"""

import asyncio
import sys
from binascii import crc32
from pathlib import Path

import msgspec
from aiohttp import web

from benchmarks.recording import Recording, answer_key
from robosignal.loadtest.measured_process import report_cpu

JSON_1_0 = "application/x-amz-json-1.0"
TARGET = "X-Amz-Target"
REQUEST_ID = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEF"


class ReplayServer:
    """DynamoDB, the management API, an issuer's keys, and a count of the calls."""

    def __init__(self, recording: Recording) -> None:
        self._answers = {key: body.encode() for key, body in recording.answers.items()}
        self._jwks = msgspec.json.encode(recording.jwks)
        self._calls = 0

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of all four."""
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


async def main(recording: Recording) -> None:
    """Serve a recording until standard input ends."""
    app = web.Application()
    app.add_routes(ReplayServer(recording).routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    await report_cpu({"url": f"http://{host}:{port}"})
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Recording)))
