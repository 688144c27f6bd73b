import { isLoopbackHost } from '../../core/addresses.ts'
import type { Clock } from '../../core/clock.ts'
import type { OwnAccountPlan } from '../../core/plan/own-account-plan.ts'
import { formatMetadataUrls } from '../../oauth/authorization-server-metadata.ts'
import { readJsonObject, type SafeFetch } from '../../oauth/safe-fetch.ts'
import { AccountError, quoteUntrusted } from './account-error.ts'
import { isShort, listTexts } from './discovery.ts'
import type { ReservedUrls } from './reserved-urls.ts'

/** The authorization server of an MCP server (RFC 8414 §2). */
export interface AccountServer {
  readonly issuer: string
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  readonly registrationEndpoint: string | undefined
  readonly revocationEndpoint: string | undefined
  readonly authenticationMethods: readonly string[]
  readonly scopesSupported: readonly string[]
  /** Whether clients may be known by a metadata document. */
  readonly takesDocuments: boolean
  /** Whether its answers name it (RFC 9207 §3). */
  readonly namesItself: boolean
}

/** What the configuration and the identity provider say of which one it may be. */
export interface PermittedServers extends Pick<OwnAccountPlan, 'issuer' | 'reservedOrigins'> {
  readonly reserved: ReservedUrls
}

/** Finds authorization servers by their issuer. */
export interface AccountServers {
  /** To get tokens of. @throws AccountError */
  find(issuer: string): Promise<AccountServer>
  /**
   * To refresh tokens of: does not wait for the identity provider, since users have calls under way and the server was found by
   * {@link find} when the account was connected. @throws AccountError
   */
  findToRefresh(issuer: string): Promise<AccountServer>
  /** To give tokens back, also at one that users trust for something else by now. @throws AccountError */
  findToRevoke(issuer: string): Promise<AccountServer>
}

const KEEP_MS = 5 * 60_000
/** Of one MCP server: it names one at a time. */
const MAX_KEPT = 16

export function createAccountServers(fetch: SafeFetch, clock: Clock, permitted: PermittedServers): AccountServers {
  const kept = new Map<string, { readonly until: number; readonly server: AccountServer }>()
  const findToRevoke = async (issuer: string) => {
    // What the configuration names may be in private networks, and accounts of before were connected at others.
    if (permitted.issuer !== undefined && issuer !== permitted.issuer)
      throw new AccountError('ended', `the configuration has another authorization server than ${quoteUntrusted(issuer)} now`)
    const known = kept.get(issuer)
    if (known !== undefined && clock.monotonic() < known.until) return known.server
    const server = await loadServer(issuer, fetch)
    if (kept.size >= MAX_KEPT) kept.clear()
    kept.set(issuer, { until: clock.monotonic() + KEEP_MS, server })
    return server
  }
  const findUnreserved = async (issuer: string, list: () => Promise<readonly string[]>) => {
    if (permitted.issuer !== undefined) return findToRevoke(issuer)
    const reserved = new Set([...permitted.reservedOrigins, ...(await list())].map(readHost))
    checkUnreserved(issuer, issuer, reserved)
    const server = await findToRevoke(issuer)
    checkUnreserved(server.authorizationEndpoint, issuer, reserved)
    checkUnreserved(server.tokenEndpoint, issuer, reserved)
    return server
  }
  return {
    find: (issuer) => findUnreserved(issuer, () => listReserved(permitted)),
    findToRefresh: (issuer) => findUnreserved(issuer, () => permitted.reserved.listKnown()),
    findToRevoke,
  }
}

/**
 * Of what these issue, the MCP server could be meant by its word alone: who does not look at `resource` issues tokens for others, too. An
 * authorization server that has users go there under a name of its own would get the code.
 */
function checkUnreserved(url: string, issuer: string, reserved: ReadonlySet<string>): void {
  if (!reserved.has(readHost(url))) return
  const which = url === issuer ? '' : `, with an endpoint at ${quoteUntrusted(url)}`
  const message = `the MCP server names ${quoteUntrusted(issuer)}${which}, which users trust for something else`
  const remedy = `Write ${quoteUntrusted(issuer)} as \`credential.issuer\` if the MCP server may have tokens of it.`
  throw new AccountError('unusable', message, { remedy })
}

async function listReserved({ reserved }: PermittedServers): Promise<readonly string[]> {
  try {
    return await reserved.list()
  } catch (error) {
    const message = `the endpoints of the identity provider are not known: ${error instanceof Error ? error.message : String(error)}`
    const remedy = 'Check that the identity provider runs, or write `credential.issuer`: then its endpoints are not needed.'
    throw new AccountError('unavailable', message, { cause: error, remedy })
  }
}

/** With its port. A final dot makes no other host of it. */
function readHost(url: string): string {
  const { hostname, port } = URL.parse(url) ?? { hostname: '', port: '' }
  return `${hostname.replace(/\.$/, '')}:${port}`
}

async function loadServer(issuer: string, fetch: SafeFetch): Promise<AccountServer> {
  const reasons: string[] = []
  for (const url of listUrls(issuer)) {
    try {
      const answer = await fetch.fetchRaw(url, { namedBy: 'metadata', method: 'GET' })
      if (answer.status !== 200) throw new Error(`status ${answer.status}`)
      return readServer(readJsonObject(new URL(url), answer), issuer)
    } catch (error) {
      if (error instanceof AccountError) throw error
      reasons.push(`${url}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  throw new AccountError(
    'unavailable',
    `no metadata of the authorization server ${quoteUntrusted(issuer)}: ${reasons.join('; ')}`,
    {
      remedy: 'Check that it runs, can be reached from here and publishes its metadata (RFC 8414 §3, OpenID Connect Discovery).',
    },
  )
}

/** RFC 8414 §2: an issuer is an https URL without query and fragment. Without https it is on this machine, which the fetch checks. */
function listUrls(issuer: string): readonly string[] {
  const url = isShort(issuer) ? URL.parse(issuer) : null
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '' || url.username !== '')
    throw new AccountError('unusable', `the MCP server names an authorization server that is none: ${quoteUntrusted(issuer)}`, {
      remedy: 'Have the MCP server name its issuer as an https URL without query and fragment (RFC 8414 §2).',
    })
  return formatMetadataUrls(issuer)
}

type Document = Readonly<Record<string, unknown>>

function readServer(document: Document, issuer: string): AccountServer {
  // RFC 8414 §3.3: the issuer must be identical, or the document belongs to another one.
  if (document.issuer !== issuer)
    throw new AccountError('suspicious', `the metadata of ${quoteUntrusted(issuer)} is of ${quoteUntrusted(document.issuer)}`, {
      remedy: 'Have the MCP server name the issuer as its own metadata does, letter by letter (RFC 8414 §3.3).',
    })
  // "If code_challenge_methods_supported is absent, … MCP clients MUST refuse to proceed" (2026-07-28, authorization, Authorization Code Protection).
  if (!listTexts(document.code_challenge_methods_supported).includes('S256'))
    throw new AccountError(
      'unusable',
      `the authorization server ${quoteUntrusted(issuer)} does not say that it knows PKCE with S256`,
      { remedy: 'Have it say so: `code_challenge_methods_supported` with `S256`. The proxy connects no accounts without.' },
    )
  return {
    issuer,
    authorizationEndpoint: readBrowserUrl(document.authorization_endpoint, issuer),
    tokenEndpoint: readUrl(document.token_endpoint, issuer, 'token_endpoint'),
    registrationEndpoint: findUrl(document.registration_endpoint),
    revocationEndpoint: findUrl(document.revocation_endpoint),
    // RFC 8414 §2: the default.
    authenticationMethods: listTexts(document.token_endpoint_auth_methods_supported ?? ['client_secret_basic']),
    scopesSupported: listTexts(document.scopes_supported),
    takesDocuments: document.client_id_metadata_document_supported === true,
    namesItself: document.authorization_response_iss_parameter_supported === true,
  }
}

function readUrl(value: unknown, issuer: string, name: string): string {
  const text = findUrl(value)
  if (text === undefined)
    throw new AccountError('unusable', `the metadata of ${quoteUntrusted(issuer)} has no ${name}`, {
      remedy: `Have it name its ${name} in its metadata (RFC 8414 §2).`,
    })
  return text
}

/** A browser goes there: to a web page of the network, or of this very machine where the issuer is there as well. */
function readBrowserUrl(value: unknown, issuer: string): string {
  const text = readUrl(value, issuer, 'authorization_endpoint')
  const url = URL.parse(text)
  const isPlain = url?.protocol === 'http:' && isLoopbackHost(url.hostname) && isLoopbackHost(new URL(issuer).hostname)
  if (url === null || (url.protocol !== 'https:' && !isPlain) || url.username !== '' || url.hash !== '')
    throw new AccountError('suspicious', `the authorization endpoint of ${quoteUntrusted(issuer)} is ${quoteUntrusted(text)}`, {
      remedy: 'Have it name an https URL as `authorization_endpoint`: browsers of users go there.',
    })
  return text
}

function findUrl(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && isShort(value) ? value : undefined
}
