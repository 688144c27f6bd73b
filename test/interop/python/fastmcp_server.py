"""A FastMCP server of the current generation. Usage: fastmcp_server.py http|sse. Listens on a free port of 127.0.0.1."""

import sys

from example import register
from fastmcp import Context, FastMCP
from fastmcp.server.dependencies import get_http_request

server = FastMCP("fastmcp-example")
register(server, Context, lambda _context: get_http_request().headers)
server.run(transport=sys.argv[1], host="127.0.0.1", port=0, show_banner=False)
