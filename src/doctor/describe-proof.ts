import { BROKER_PATHS, IDENTITY_KEYS_PATH } from '../core/broker-paths.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import type { BroughtProof } from './check-upstream.ts'

/** What of the caller an MCP server gets with each request and can verify; undefined where it gets nothing. */
export function describeProof(server: ServerPlan, upstreamUrl: string, plan: Plan): BroughtProof | undefined {
  const { assertion } = server.identity ?? {}
  if (server.credential.kind === 'access_token')
    return { what: 'a token of the caller', verifier: describeVerifier(server, plan) }
  if (server.credential.kind === 'own_account') return { what: 'a token for an account of the caller', verifier: undefined }
  if (server.credential.kind !== 'none') return { what: 'a token of the caller', verifier: undefined }
  if (assertion === undefined) return undefined
  const audience = assertion.audience ?? upstreamUrl.replace(/\?.*$/, '?…')
  const verifier = `the issuer ${assertion.issuer}, the audience ${audience}, the algorithm ES256 and the keys at ${plan.publicUrl}${IDENTITY_KEYS_PATH}`
  return { what: 'an assertion of who calls', verifier }
}

/** The tokens that clients send are those of the server's issuers. Keys and algorithm of others are theirs to say. */
function describeVerifier({ issuers, audiences }: ServerPlan, { broker }: Plan): string {
  const names = issuers.map(({ issuer }) => issuer)
  const isOwn = broker !== undefined && names.includes(broker.issuer)
  const keys = isOwn
    ? `, the algorithm ES256 and the keys at ${broker.issuer}${BROKER_PATHS.provider.jwks} for tokens of the proxy`
    : ''
  return `the issuer ${names.join(' or ')}, the audience ${audiences.join(' or ')}${keys}`
}
