"""A FastMCP server of the official SDK's first generation. Usage: v1_server.py http|sse|stdio. Listens on a free port of 127.0.0.1, or to its input."""

import sys

from example import register
from mcp.server.fastmcp import Context, FastMCP

server = FastMCP("v1-example", host="127.0.0.1", port=0)
register(server, Context, lambda context: context.request_context.request.headers)
server.run(transport="streamable-http" if sys.argv[1] == "http" else sys.argv[1])
