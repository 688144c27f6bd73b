import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { User } from '../../src/sandbox/users.ts'
import { createOAuthClient, type OAuthClient } from '../oauth-client.ts'
import { createWire, type Wire } from '../wire.ts'

/** What the story needs to know of the servers. */
export interface Stage {
  /** URL that clients are given: the proxy's. */
  readonly url: string
  readonly issuer: string
  /** What the MCP server behind the proxy has received until now. */
  readonly received: { readonly requests: number; readonly withCredentials: number }
  readonly alice: User
  readonly bob: User
}

/** A client at work: the real one of the MCP SDK, with an ear on its wire. */
export interface Actor {
  readonly wire: Wire
  readonly oauth: OAuthClient
  readonly client: Client
  transport: StreamableHTTPClientTransport
}

const REDIRECT_URI = 'http://localhost:8813/callback'

export function createActor(stage: Stage, registration?: ReturnType<OAuthClient['clientInformation']>): Actor {
  const wire = createWire()
  const oauth = createOAuthClient({ name: 'Scripted demo client', redirectUri: REDIRECT_URI, registration })
  const client = new Client({ name: 'demo-client', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } })
  return { wire, oauth, client, transport: createTransport(stage, oauth, wire) }
}

/** @param onInsufficientScope - whether the client asks its user for more when that is what it takes */
export function createTransport(
  stage: Stage,
  authProvider: OAuthClient,
  { fetch }: Wire,
  onInsufficientScope: 'throw' | 'reauthorize' = 'throw',
) {
  return new StreamableHTTPClientTransport(new URL(stage.url), { authProvider, fetch, onInsufficientScope })
}
