import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import { BROKER_PATHS } from '../../../core/broker-paths.ts'
import { findErrorEntry, ProxyError } from '../../../core/errors.ts'
import type { TokenVerifier } from '../../../core/ports.ts'
import type { Principal } from '../../../core/principal.ts'
import type { OnEvent } from '../../../core/security-event.ts'
import type { Store } from '../../../core/store.ts'
import { groupOfGrant } from '../../storage/oidc-adapter.ts'
import { GRANT_CLAIM, type Revocations, SUBJECT_GRANT_CLAIM } from '../../tokens/revocation.ts'
import type { Middleware } from '../middlewares.ts'

export interface OwnTokensOptions {
  readonly store: Store
  readonly revocations: Revocations
  /** Verifies access tokens of the broker for any resource, and rejects revoked ones. */
  readonly verifier: TokenVerifier
  /** Clients that may introspect the tokens of all clients. */
  readonly mayIntrospect: ReadonlySet<string>
  readonly report: OnEvent
}

/**
 * Revocation (RFC 7009) and introspection (RFC 7662) of access tokens.
 *
 * Workaround for oidc-provider 9.13.3: it keeps no record of JWTs, and answers 400 `unsupported_token_type` for them. By then it has
 * authenticated the client, so that its answer can be replaced.
 */
export function answerForOwnTokens(options: OwnTokensOptions): Middleware {
  return async (ctx, next) => {
    await next()
    const { revocation, introspection } = BROKER_PATHS.provider
    if (ctx.status !== 400 || (ctx.path !== revocation && ctx.path !== introspection)) return
    const { oidc } = ctx as unknown as { oidc?: { client?: AuthenticatedClient; params?: { token?: unknown } } }
    const { client, params } = oidc ?? {}
    if (client === undefined || typeof params?.token !== 'string' || !isUnsupported(ctx.body)) return
    const principal = await findPrincipal(params.token, options)
    if (ctx.path === revocation) {
      if (principal !== undefined && principal.clientId !== client.clientId)
        return refuseForeign(ctx as unknown as KoaContextWithOIDC)
      if (principal !== undefined) await revoke(principal, options)
      ctx.body = ''
    } else {
      const mayAsk =
        client.clientAuthMethod !== 'none' &&
        (options.mayIntrospect.has(client.clientId) || principal?.clientId === client.clientId)
      ctx.body = principal !== undefined && mayAsk ? describe(principal) : { active: false }
    }
    ctx.status = 200
  }
}

/** RFC 7009 §2.1: the token belongs to another client. The client holds it already, so this tells it nothing else. */
export function createForeignTokenError(): errors.OIDCProviderError {
  return new errors.CustomOIDCProviderError('invalid_grant', 'the token was issued to another client')
}

function refuseForeign(ctx: KoaContextWithOIDC): void {
  const error = createForeignTokenError()
  ctx.body = { error: error.error, error_description: error.error_description }
  ctx.oidc.provider.emit('revocation.error', ctx, error)
}

interface AuthenticatedClient {
  readonly clientId: string
  readonly clientAuthMethod: string
}

function isUnsupported(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'error' in body && body.error === 'unsupported_token_type'
}

/** The principal of a token; undefined for a token that is not valid, whatever the reason. */
async function findPrincipal(token: string, { verifier }: OwnTokensOptions): Promise<Principal | undefined> {
  try {
    return await verifier.verify(token)
  } catch (error) {
    if (error instanceof ProxyError && findErrorEntry(error.code).status !== 503) return undefined
    throw error
  }
}

/**
 * Revokes the token and the grant that it was issued for (RFC 7009 §2.1), but not the grant of a token that was exchanged for it. The grant
 * first: once the token is revoked, a repetition would find nothing to revoke.
 */
async function revoke(principal: Principal, { store, revocations, report }: OwnTokensOptions): Promise<void> {
  const { subject, clientId, claims, acceptedUntil } = principal
  const { jti, [GRANT_CLAIM]: grantId } = claims
  try {
    if (typeof grantId === 'string') await store.deleteGroup(groupOfGrant(grantId))
    if (typeof jti === 'string') await revocations.revoke(jti, acceptedUntil * 1000)
  } finally {
    revocations.forget()
  }
  const ids = { tokenId: readText(jti), grantId: readText(grantId) }
  report({ kind: 'token_revoked', outcome: 'success', subject, clientId, resource: readText(claims.aud), ...ids })
}

function readText(claim: unknown): string | undefined {
  return typeof claim === 'string' ? claim : undefined
}

function describe({ claims }: Principal): Record<string, unknown> {
  const { [GRANT_CLAIM]: _own, [SUBJECT_GRANT_CLAIM]: _subject, ...told } = claims
  return { active: true, token_type: 'Bearer', ...told }
}
