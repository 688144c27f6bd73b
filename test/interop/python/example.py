"""What both generations of FastMCP servers offer: the same words, registered with whichever server is given."""

import asyncio
import json
import os
import sys


def register(server, context_type, find_headers):
    @server.tool()
    def echo_tool(message: str) -> str:
        """Says back what it is told"""
        return f"Tool echo: {message}"

    @server.tool()
    def delete_everything() -> str:
        """Nobody in these tests may call it"""
        print("delete_everything was called", file=sys.stderr, flush=True)
        return "Everything is gone"

    @server.tool()
    def process_id() -> str:
        """Which process it is"""
        return str(os.getpid())

    @server.tool()
    def environment() -> str:
        """What it was started with"""
        return json.dumps(dict(os.environ))

    async def count(steps: int, context) -> str:
        for step in range(1, steps + 1):
            await context.report_progress(step, steps)
            await asyncio.sleep(0.02)
        return f"Counted to {steps}"

    async def credentials(context) -> str:
        """Says what came in the headers that a token could be in"""
        headers = find_headers(context)
        return ", ".join(f"{name}={headers.get(name)}" for name in ("authorization", "cookie", "x-forwarded-host"))

    credentials.__annotations__["context"] = context_type
    server.tool(name="credentials")(credentials)

    # The annotation tells the framework where to put its context.
    count.__annotations__["context"] = context_type
    server.tool(name="count")(count)

    @server.resource("echo://{message}")
    def echo_resource(message: str) -> str:
        """A resource made from its own name"""
        return f"Resource echo: {message}"

    @server.prompt()
    def echo_prompt(message: str) -> str:
        """A prompt made from a message"""
        return f"Please process this message: {message}"
