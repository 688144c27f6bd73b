"""A FastMCP server with an OAuth proxy of its own. Usage: oauth_proxy_server.py PORT. The environment says which authorization server is behind it."""

import os
import ssl
import sys

from example import register
from fastmcp import Context, FastMCP
from fastmcp.server.auth import OAuthProxy
from fastmcp.server.auth.providers.jwt import JWTVerifier
from fastmcp.server.dependencies import get_http_request

port = int(sys.argv[1])
issuer = os.environ["ISSUER"]
authority = os.environ.get("AUTHORITY")
if authority is not None:
    # FastMCP fetches metadata documents with the authorities of the machine alone, whatever SSL_CERT_FILE says.
    paths = ssl.get_default_verify_paths()
    ssl.get_default_verify_paths = lambda: paths._replace(openssl_cafile=authority)
base_url = f"http://127.0.0.1:{port}"
auth = OAuthProxy(
    upstream_authorization_endpoint=f"{issuer}/authorize",
    upstream_token_endpoint=f"{issuer}/token",
    upstream_client_id=os.environ["CLIENT_ID"],
    upstream_client_secret=os.environ["CLIENT_SECRET"],
    token_verifier=JWTVerifier(jwks_uri=f"{issuer}/jwks", issuer=issuer, audience=f"{base_url}/mcp"),
    base_url=base_url,
    valid_scopes=["mcp:tools"],
    jwt_signing_key="a-key-for-this-test-alone",
    require_authorization_consent=False,
)
server = FastMCP("fastmcp-oauth-proxy", auth=auth)
register(server, Context, lambda _context: get_http_request().headers)
server.run(transport="http", show_banner=False, host="127.0.0.1", port=port)
