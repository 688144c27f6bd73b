/** A well-known MCP client: what its way to connect asks of a server and its authorization server. */
export interface ClientProfile {
  readonly name: string
  /** Where its requests come from: this machine or its network, a vendor's servers on the internet, or a web page. */
  readonly from: 'machine' | 'internet' | 'page'
  /** Whether it makes itself known by a client ID metadata document where the server takes them. */
  readonly hasDocument: boolean
  /** Where that document is; undefined where it differs by user or version. */
  readonly document: string | undefined
  /** Whether it uses its document only where `none` is listed among the ways to authenticate at the token endpoint. */
  readonly documentNeedsNone: boolean
  readonly registersItself: boolean
  /** Where a client id can be entered by hand; undefined where it cannot. */
  readonly entersClientId: string | undefined
  /** For operators who create the client by hand. */
  readonly redirectUris: readonly string[]
  /** `resource` of the metadata must be the URL that was configured, letter by letter. */
  readonly wantsExactResource: boolean
  /** Ignores a `resource_metadata` of another origin. */
  readonly wantsOwnMetadata: boolean
  /** Refuses metadata without code_challenge_methods_supported. */
  readonly wantsPkceAnnounced: boolean
  /** Refuses a token endpoint that is http, this machine excepted. */
  readonly wantsSecureTokens: boolean
  /** Refuses an authorization server in a private network, unless the MCP server is in it too. */
  readonly refusesPrivateIssuer: boolean
  /** Appends `?` to whatever authorization_endpoint is. */
  readonly breaksOnQuery: boolean
  /** Issuers that it has accounts of its own for. */
  readonly knowsIssuers: RegExp | undefined
}

const usual: Omit<ClientProfile, 'name' | 'from'> = {
  hasDocument: true,
  document: undefined,
  documentNeedsNone: false,
  registersItself: true,
  entersClientId: undefined,
  redirectUris: [],
  wantsExactResource: false,
  wantsOwnMetadata: false,
  wantsPkceAnnounced: false,
  wantsSecureTokens: false,
  refusesPrivateIssuer: false,
  breaksOnQuery: false,
  knowsIssuers: undefined,
}

/** Those that people ask about, in the order of the report. */
export const CLIENT_PROFILES: readonly ClientProfile[] = [
  {
    ...usual,
    name: 'Claude Code',
    document: 'https://claude.ai/oauth/claude-code-client-metadata',
    from: 'machine',
    documentNeedsNone: true,
    entersClientId: '`claude mcp add --transport http --client-id ID --callback-port 8090`',
    redirectUris: ['http://localhost:8090/callback'],
  },
  {
    ...usual,
    name: 'Claude.ai (and Claude Desktop)',
    document: 'https://claude.ai/oauth/mcp-oauth-client-metadata',
    from: 'internet',
    documentNeedsNone: true,
    entersClientId: 'the advanced settings of the connector',
    redirectUris: ['https://claude.ai/api/mcp/auth_callback', 'https://claude.com/api/mcp/auth_callback'],
  },
  {
    ...usual,
    name: 'ChatGPT',
    from: 'internet',
    wantsPkceAnnounced: true,
    entersClientId: 'the settings of the connector',
    redirectUris: ['https://chatgpt.com/connector_platform_oauth_redirect'],
  },
  {
    ...usual,
    name: 'VS Code (and GitHub Copilot)',
    document: 'https://vscode.dev/oauth/client-metadata.json',
    from: 'machine',
    entersClientId: 'the prompt that VS Code shows',
    redirectUris: ['http://127.0.0.1:33418/', 'https://vscode.dev/redirect'],
    wantsExactResource: true,
    knowsIssuers: /^https:\/\/(?:login\.microsoftonline\.com\/|github\.com\/login\/oauth$)/,
  },
  {
    ...usual,
    name: 'Cursor',
    from: 'machine',
    hasDocument: false,
    entersClientId: '`auth` in mcp.json',
    redirectUris: ['http://localhost:8787/callback', 'cursor://anysphere.cursor-mcp/oauth/callback'],
  },
  {
    ...usual,
    name: 'Gemini CLI',
    from: 'machine',
    hasDocument: false,
    entersClientId: '`oauth.clientId` in settings.json',
    redirectUris: ['http://localhost:7777/oauth/callback'],
    wantsExactResource: true,
  },
  {
    ...usual,
    name: 'Goose',
    document: 'https://goose-docs.ai/oauth/client-metadata.json',
    from: 'machine',
    redirectUris: ['http://127.0.0.1/oauth_callback'],
    wantsOwnMetadata: true,
    refusesPrivateIssuer: true,
  },
  {
    ...usual,
    name: 'mcp-remote',
    from: 'machine',
    hasDocument: false,
    entersClientId: '`--static-oauth-client-info`',
    redirectUris: ['http://localhost:3335/oauth/callback'],
    wantsSecureTokens: true,
  },
  {
    ...usual,
    name: 'MCP Inspector',
    from: 'machine',
    entersClientId: 'its OAuth settings',
    redirectUris: ['http://localhost:6274/oauth/callback'],
    wantsSecureTokens: true,
  },
  {
    ...usual,
    name: 'MCP Inspector before 2.0',
    from: 'page',
    hasDocument: false,
    entersClientId: 'its OAuth settings',
    redirectUris: ['http://localhost:6274/oauth/callback'],
  },
  {
    ...usual,
    name: 'opencode',
    document: 'https://opencode.ai/oauth/opencode/client.json',
    from: 'machine',
    documentNeedsNone: true,
    entersClientId: '`oauth.clientId` in opencode.json',
    redirectUris: ['http://127.0.0.1:19876/mcp/oauth/callback'],
  },
  { ...usual, name: 'Python SDK (FastMCP client)', from: 'machine', entersClientId: 'the code', breaksOnQuery: true },
]
