import * as oauth from 'oauth4webapi'
import { nameMeeting } from '../../core/account-meeting.ts'
import { AccountError, quoteUntrusted } from './account-error.ts'
import type { AccountServer } from './account-server.ts'
import type { AccountSession } from './account-session.ts'
import type { AccountClient, AccountTokens } from './connection.ts'
import { type DiscoveredResource, discoverResource } from './discovery.ts'

/** What binds the answer of an authorization server to the request that a user was sent away with. */
export interface PendingConnection {
  readonly state: string
  readonly verifier: string
  /** Name of the MCP server, and where it was then. */
  readonly server: string
  readonly upstreamUrl: string
  /** Names the redirect URI, which no other authorization server has. */
  readonly meeting: string
  readonly issuer: string
  readonly resource: string
  readonly client: AccountClient
  readonly scopes: readonly string[]
}

/** @param more - scopes beside those of the configuration or the MCP server */
export async function beginConnection(
  session: AccountSession,
  more: readonly string[],
): Promise<{ url: URL; pending: PendingConnection }> {
  const { plan, servers, clients, formatRedirectUri } = session
  const discovered = await discoverResource(plan, session.fetch)
  const server = await servers.find(discovered.issuer)
  const meeting = nameMeeting(plan.server, server.issuer)
  const client = await clients.find(server, formatRedirectUri(meeting))
  const pending: PendingConnection = {
    state: oauth.generateRandomState(),
    verifier: oauth.generateRandomCodeVerifier(),
    server: plan.server,
    upstreamUrl: plan.upstreamUrl,
    meeting,
    issuer: server.issuer,
    resource: discovered.resource,
    client,
    scopes: chooseScopes(session, discovered, more),
  }
  return { url: await formatRequest(server, pending, formatRedirectUri(meeting)), pending }
}

function chooseScopes({ plan }: AccountSession, discovered: DiscoveredResource, more: readonly string[]): readonly string[] {
  return [...new Set([...(plan.scopes.length > 0 ? plan.scopes : discovered.scopes), ...more])]
}

async function formatRequest(server: AccountServer, pending: PendingConnection, redirectUri: string): Promise<URL> {
  const url = new URL(server.authorizationEndpoint)
  // 2026-07-28, authorization, Refresh Tokens: where the authorization server knows the scope.
  const scopes = server.scopesSupported.includes('offline_access') ? [...pending.scopes, 'offline_access'] : pending.scopes
  const parameters = {
    response_type: 'code',
    client_id: pending.client.clientId,
    redirect_uri: redirectUri,
    state: pending.state,
    code_challenge: await oauth.calculatePKCECodeChallenge(pending.verifier),
    code_challenge_method: 'S256',
    resource: pending.resource,
    ...(scopes.length > 0 && { scope: [...new Set(scopes)].join(' ') }),
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return url
}

/**
 * Takes the answer of an authorization server.
 *
 * @param meeting - at whose redirect URI it arrived
 * @throws AccountError
 */
export async function finishConnection(
  session: AccountSession,
  pending: PendingConnection,
  answer: URLSearchParams,
): Promise<AccountTokens> {
  const { servers, clients, tokens, formatRedirectUri } = session
  const server = await servers.find(pending.issuer)
  const checked = checkAnswer(server, pending, answer)
  const redirectUri = formatRedirectUri(pending.meeting)
  try {
    return await tokens.request(server, pending.client, {
      grant_type: 'authorization_code',
      code: checked.get('code') ?? '',
      redirect_uri: redirectUri,
      code_verifier: pending.verifier,
      resource: pending.resource,
    })
  } catch (error) {
    // The next attempt registers anew.
    if (error instanceof AccountError && error.kind === 'client_unknown') await clients.forget(server, redirectUri)
    throw error
  }
}

/** Checks `state` and `iss` (RFC 9207 §2.4), and throws what the answer has as `error`. */
function checkAnswer(server: AccountServer, pending: PendingConnection, answer: URLSearchParams): URLSearchParams {
  const known = { issuer: server.issuer, authorization_response_iss_parameter_supported: server.namesItself }
  try {
    const checked = oauth.validateAuthResponse(known, { client_id: pending.client.clientId }, answer, pending.state)
    if (!checked.has('code')) throw new AccountError('suspicious', 'the answer has no code')
    return checked
  } catch (error) {
    if (error instanceof AccountError) throw error
    if (!(error instanceof oauth.AuthorizationResponseError))
      throw new AccountError('suspicious', error instanceof Error ? error.message : String(error))
    throw new AccountError(LATER.has(error.error) ? 'unavailable' : 'refused', `it answers ${quoteUntrusted(error.error)}`)
  }
}

const LATER = new Set(['server_error', 'temporarily_unavailable'])

/** The host to which users go to connect an account. */
export async function findAccountHost({ plan, fetch, servers }: AccountSession): Promise<string> {
  const { issuer } = await discoverResource(plan, fetch)
  return new URL((await servers.find(issuer)).authorizationEndpoint).host
}
