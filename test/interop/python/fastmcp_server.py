"""A FastMCP server of the current generation. Usage: fastmcp_server.py http|sse|stdio. Listens on a free port of 127.0.0.1, or to its input."""

import sys

from example import register
from fastmcp import Context, FastMCP
from fastmcp.server.dependencies import get_http_request

server = FastMCP("fastmcp-example")
register(server, Context, lambda _context: get_http_request().headers)
place = {} if sys.argv[1] == "stdio" else {"host": "127.0.0.1", "port": 0}
server.run(transport=sys.argv[1], show_banner=False, **place)
