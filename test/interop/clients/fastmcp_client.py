"""FastMCP's client, which signs in for itself. Usage: fastmcp_client.py URL"""

import asyncio
import json
import sys

from fastmcp import Client


async def answer(client, question):
    command, *rest = question.split(" ", 2)
    if command == "list":
        return {"tools": [tool.name for tool in await client.list_tools()]}
    result = await client.call_tool(rest[0], json.loads(rest[1]))
    return {"text": result.content[0].text}


async def main():
    async with Client(sys.argv[1], auth="oauth") as client:
        while line := await asyncio.to_thread(sys.stdin.readline):
            try:
                said = await answer(client, line.strip())
            except Exception as error:
                said = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(said), flush=True)


asyncio.run(main())
