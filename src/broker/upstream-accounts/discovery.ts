import type { OwnAccountPlan } from '../../core/plan/own-account-plan.ts'
import { findBearerChallenge, type ReceivedChallenge } from '../../core/read-challenge.ts'
import { isScopeToken } from '../../core/scope-token.ts'
import { formatMetadataPath, ROOT_METADATA_PATH } from '../../oauth/protected-resource.ts'
import { readJsonObject, type SafeFetch } from '../../oauth/safe-fetch.ts'
import { AccountError, quoteUntrusted } from './account-error.ts'

/** What an MCP server says of whom it takes tokens from. */
export interface DiscoveredResource {
  /** What `resource` is in requests (RFC 8707 §2). */
  readonly resource: string
  /** Issuer identifier of the authorization server. */
  readonly issuer: string
  /** Scopes to ask for where the configuration names none; empty for none. */
  readonly scopes: readonly string[]
  /** Whether it asks for a token with a challenge. */
  readonly isAsking: boolean
  /** Whether it says so itself (RFC 9728); else it is concluded. */
  readonly isNamed: boolean
}

/** No request: nothing happens if a server without authorization answers it. */
const PROBE = '{"jsonrpc":"2.0","id":1,"method":"ping"}'

/**
 * Asks an MCP server which authorization server it has: by its challenge (RFC 9728 §5.1), else at the well-known URLs (RFC 9728 §3.1).
 *
 * @param fetch - of the MCP server: what it names is public, or on its own host
 * @throws AccountError
 */
export async function discoverResource(plan: OwnAccountPlan, fetch: SafeFetch): Promise<DiscoveredResource> {
  const challenge = await askForChallenge(plan, fetch)
  const document = await findMetadata(plan, fetch, challenge?.parameters.get('resource_metadata'))
  const isAsking = challenge !== undefined
  const scopes = readScopes(challenge?.parameters.get('scope')) ?? listTexts(document?.scopes_supported).filter(isKeepableScope)
  // 2025-03-26, basic/authorization, Authorization Base URL: servers of that revision have no such metadata.
  if (document === undefined)
    return {
      resource: plan.upstreamUrl,
      issuer: plan.issuer ?? new URL(plan.upstreamUrl).origin,
      scopes,
      isAsking,
      isNamed: false,
    }
  const issuer = chooseIssuer(document.authorization_servers, plan)
  return { resource: readResource(document.resource, plan), issuer, scopes, isAsking, isNamed: true }
}

async function askForChallenge(plan: OwnAccountPlan, fetch: SafeFetch): Promise<ReceivedChallenge | undefined> {
  const type = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' }
  const answer = await ask('the MCP server', () =>
    fetch.fetchRaw(plan.upstreamUrl, {
      namedBy: 'operator',
      method: 'POST',
      headers: { ...plan.headers, ...type },
      body: PROBE,
      showRedirects: true,
      isEnough: () => true,
    }),
  )
  return answer.status === 401 ? findBearerChallenge(answer.headers['www-authenticate']) : undefined
}

type Document = Readonly<Record<string, unknown>>

async function findMetadata(plan: OwnAccountPlan, fetch: SafeFetch, named: string | undefined): Promise<Document | undefined> {
  const { origin } = new URL(plan.upstreamUrl)
  const paths = new Set([formatMetadataPath(plan.upstreamUrl), ROOT_METADATA_PATH])
  for (const url of named === undefined ? [...paths].map((path) => `${origin}${path}`) : [named]) {
    const document = await ask('the metadata of the MCP server', async () => {
      const answer = await fetch.fetchRaw(url, { namedBy: 'metadata', method: 'GET' })
      if (answer.status === 200) return readJsonObject(new URL(url), answer)
      if (named !== undefined || answer.status >= 500) throw new Error(`${url}: status ${answer.status}`)
      return undefined
    })
    if (document !== undefined) return document
  }
  return undefined
}

/** RFC 9728 §3.3: metadata of another resource says nothing of this one. Servers name their whole origin, or a path above their own. */
function readResource(resource: unknown, { upstreamUrl }: OwnAccountPlan): string {
  const found = typeof resource === 'string' ? URL.parse(resource) : null
  const own = new URL(upstreamUrl)
  const above = (path: string) => (path.endsWith('/') ? path : `${path}/`)
  // As it is written: parsers leave out line breaks.
  const isKeepable = isShort(String(resource))
  const isOwn = found !== null && found.origin === own.origin && found.username === '' && found.hash === '' && isKeepable
  if (!isOwn || !above(own.pathname).startsWith(above(found.pathname)))
    throw new AccountError('unusable', `the metadata of the MCP server is of the resource ${quoteUntrusted(resource)}`, {
      remedy: 'Write `upstream` as the MCP server names itself, or correct `resource` in its metadata (RFC 9728 §3.3).',
    })
  return String(resource)
}

function chooseIssuer(servers: unknown, { issuer }: OwnAccountPlan): string {
  const named = listTexts(servers)
  if (issuer !== undefined && !named.includes(issuer))
    throw new AccountError(
      'unusable',
      `the MCP server does not name the configured issuer, but ${quoteUntrusted(named.join(' '))}`,
      { remedy: 'Write one that it names as `credential.issuer`.' },
    )
  const [first] = named
  if (first === undefined)
    throw new AccountError('unusable', 'the metadata of the MCP server names no authorization server', {
      remedy: 'Have the MCP server name one in `authorization_servers` of its metadata (RFC 9728 §2).',
    })
  return issuer ?? first
}

/** Space-separated (RFC 6749 §3.3); undefined for none. */
export function readScopes(text: string | undefined): readonly string[] | undefined {
  const scopes = (text ?? '').split(' ').filter(isKeepableScope)
  return scopes.length === 0 ? undefined : scopes.slice(0, MAX_SCOPES)
}

function isKeepableScope(scope: string): boolean {
  return isScopeToken(scope) && scope.length <= MAX_SCOPE_CHARACTERS
}

const MAX_SCOPE_CHARACTERS = 256
const MAX_SCOPES = 64

/** Longer than any URL or id that there is. What a sign-in waits with is stored, for each that a user begins. */
const MAX_STORED = 2048

/** Whether a text of a stranger is one to keep. */
export function isShort(text: string): boolean {
  return text.length <= MAX_STORED
}

export function listTexts(value: unknown): readonly string[] {
  const texts = Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string' && item !== '') : []
  return texts.slice(0, MAX_SCOPES)
}

/** Asks, and has every failure be an {@link AccountError}. */
export async function ask<T>(whom: string, question: () => Promise<T>): Promise<T> {
  try {
    return await question()
  } catch (cause) {
    if (cause instanceof AccountError) throw cause
    throw new AccountError('unavailable', `${whom}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}
