"""The official Python client, signing in for itself.

Usage: client.py URL http|sse REDIRECT_URI [MODE]
Prints one JSON object a line. After {"open": url} it wants the redirect that ends the sign-in as a line on its input.
"""

import asyncio
import json
import sys
from urllib.parse import parse_qs, urlparse

import httpx2
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

url, transport, redirect_uri, *rest = sys.argv[1:]
mode = rest[0] if rest else "auto"


def say(**what):
    print(json.dumps(what), flush=True)


class Memory:
    """Keeps tokens and the registration for as long as the process lives."""

    def __init__(self):
        self.tokens = None
        self.registration = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.registration

    async def set_client_info(self, registration):
        self.registration = registration


async def open_browser(address):
    say(open=address)


async def wait_for_redirect():
    line = await asyncio.to_thread(sys.stdin.readline)
    query = parse_qs(urlparse(line.strip()).query)
    first = {name: values[0] for name, values in query.items()}
    return AuthorizationCodeResult(code=first["code"], state=first.get("state"), iss=first.get("iss"))


def text_of(result):
    return result.content[0].text


async def use(client):
    tools = await client.list_tools()
    say(tools=sorted(tool.name for tool in tools.tools), revision=client.session.protocol_version)
    say(echo=text_of(await client.call_tool("echo_tool", {"message": "Grüße, 世界"})))
    steps = []

    async def on_progress(progress, _total, _message):
        steps.append(progress)

    say(count=text_of(await client.call_tool("count", {"steps": 3}, progress_callback=on_progress)), progress=steps)
    resource = await client.read_resource("echo://hello")
    say(resource=resource.contents[0].text)
    prompt = await client.get_prompt("echo_prompt", {"message": "hello"})
    say(prompt=prompt.messages[0].content.text)
    try:
        await client.call_tool("delete_everything", {})
        say(deleted=True)
    except Exception as error:
        say(deleted=False, error=f"{type(error).__name__}: {error}")


async def main():
    metadata = OAuthClientMetadata(client_name="Python client", redirect_uris=[redirect_uri], token_endpoint_auth_method="none")
    auth = OAuthClientProvider(
        server_url=url,
        client_metadata=metadata,
        storage=Memory(),
        redirect_handler=open_browser,
        callback_handler=wait_for_redirect,
    )
    if transport == "sse":
        async with Client(sse_client(url, auth=auth), mode="legacy") as client:
            await use(client)
        return
    async with httpx2.AsyncClient(auth=auth, timeout=30) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
            await use(client)


asyncio.run(main())
