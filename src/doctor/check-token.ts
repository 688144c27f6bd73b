import { isAccessKey } from '../core/access-key.ts'
import { describeCause } from '../core/describe-cause.ts'
import { errorCatalogue, ProxyError } from '../core/errors.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import { createIssuerPool, type IssuerPool } from '../oauth/issuer.ts'
import { looksLikeJwt, parseSignedJwt } from '../oauth/jws.ts'
import { createTokenVerifier } from '../oauth/token-verifier.ts'
import { type Finding, type Findings, findingsAbout } from './finding.ts'
import { escapeControlCharacters, quoteUntrusted } from './untrusted-text.ts'

export interface CheckedToken {
  readonly findings: readonly Finding[]
  /** Names of the servers that accept it. */
  readonly acceptedBy: ReadonlySet<string>
}

/** Has each server check a token as it would check that of a request. The token itself is never told. */
export async function checkToken(token: string, servers: readonly ServerPlan[]): Promise<CheckedToken> {
  const pool = createIssuerPool()
  try {
    const found = await Promise.all(servers.map((server) => checkForServer(token, server, pool)))
    const accepting = servers.filter((_server, index) => found[index]?.isAccepted === true)
    return { findings: found.flatMap(({ findings }) => findings), acceptedBy: new Set(accepting.map(({ name }) => name)) }
  } finally {
    await pool.close()
  }
}

interface CheckedForServer {
  readonly findings: readonly Finding[]
  readonly isAccepted: boolean
}

async function checkForServer(token: string, server: ServerPlan, pool: IssuerPool): Promise<CheckedForServer> {
  const about = findingsAbout(`the token, for server ${server.name}`)
  const { issuers, audiences } = server
  if (isAccessKey(token)) return { findings: [about.skipped('token', ACCESS_KEY)], isAccepted: false }
  try {
    const verifier = createTokenVerifier({ issuers, audiences, pool })
    const { scopes, expiresAt } = await verifier.verify(token)
    const findings = [checkTimes(expiresAt - Date.now() / 1000, about), checkScopes(scopes, server, about)]
    return { findings, isAccepted: true }
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error
    return { findings: [explainRefusal(error, token, server, about)], isAccepted: false }
  }
}

/** The running proxy and its store know more than the configuration. */
const ACCESS_KEY =
  'It is an access key, which is not looked up here. `explain --token` says what it may do, `keys list` which keys there are.'

function checkTimes(secondsLeft: number, about: Findings): Finding {
  const accepted = 'It is accepted: signature, issuer, audience and times are right.'
  if (secondsLeft >= 60) return about.ok('token', `${accepted} It is valid for another ${Math.floor(secondsLeft / 60)} min.`)
  if (secondsLeft >= 0) return about.ok('token', `${accepted} It is valid for less than a minute.`)
  return about.warning(
    'token_ended',
    `It ended ${Math.ceil(-secondsLeft)} s ago, and is accepted only because clocks may differ (\`clock_tolerance_seconds\`).`,
    'Get a new one. If it is new, compare the clocks of issuer and proxy.',
  )
}

function checkScopes(scopes: ReadonlySet<string>, { policy }: ServerPlan, about: Findings): Finding {
  const held = new Set([...scopes].flatMap((scope) => [scope, ...(policy.hierarchy[scope] ?? [])]))
  const missing = policy.baseScopes.filter((scope) => !held.has(scope))
  if (missing.length === 0) return about.ok('token_scopes', 'It has the scopes that every request needs.')
  const has = scopes.size === 0 ? 'It has no scopes' : `It has the scopes ${[...scopes].map(quoteUntrusted).join(', ')}`
  return about.problem(
    'token_scopes',
    `${has}, and every request needs ${missing.join(', ')} as well.`,
    'Permit the scope to the client and the user at the issuer. If it is in another claim, add that claim to `scope_claims` of the issuer.',
  )
}

function explainRefusal(error: ProxyError, token: string, server: ServerPlan, about: Findings): Finding {
  const { message, remedy } = errorCatalogue[error.code]
  const cause = escapeControlCharacters(describeCause(error))
  const says = `${message} (${error.code}${cause === '' ? '' : `: ${cause}`}).`
  return about.problem(error.code, says, `${adviseOn(error.code, token, server)}${remedy}`)
}

/** What can be said of this very token. */
function adviseOn(code: ProxyError['code'], token: string, { audiences, issuers }: ServerPlan): string {
  if (!looksLikeJwt(token))
    return issuers.some(({ introspection }) => introspection) ? '' : 'Set `introspection` for the issuer: its tokens are opaque. '
  if (code !== 'token_audience_mismatch' && code !== 'token_issuer_unknown') return ''
  const { claims } = parseSignedJwt(token)
  if (code === 'token_issuer_unknown')
    return `The token names ${quoteUntrusted(claims.iss)}; this server accepts ${issuers.map(({ issuer }) => issuer).join(', ')}. `
  if (claims.aud === undefined && claims.client_id !== undefined)
    return 'The token has no `aud`: with `audience_claims: [aud, client_id]` and the client id under `audience`, that is accepted. '
  return `The token is for ${quoteUntrusted(claims.aud)}; this server accepts ${audiences.join(', ')}. `
}
