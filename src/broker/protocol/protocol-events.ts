import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import { BROKER_PATHS } from '../../core/broker-paths.ts'
import type { EventKind, OnEvent, SecurityEvent } from '../../core/security-event.ts'
import { GRANT_TYPES } from '../clients/configured-clients.ts'

/** Why a request to the protocol's endpoints failed. */
export interface ProtocolFailure {
  /** A code of the error catalogue or of OAuth. */
  readonly outcome: string
  readonly detail: string | undefined
}

/** Reports what the provider's endpoints were asked for and did. */
export function reportSuccesses(provider: Provider, report: OnEvent): void {
  provider.on('authorization.success', (ctx) => report({ kind: 'authorization', outcome: 'success', ...readAuthorization(ctx) }))
  provider.on('registration_create.success', ({ oidc }, { clientId, clientName, redirectUris }) =>
    report({ kind: 'registration', outcome: 'success', ...readParty({ oidc }), clientId, clientName, redirectUris }),
  )
  provider.on('grant.success', (ctx) => report(describeTokenRequest(ctx, { outcome: 'success', detail: undefined })))
  provider.on('grant.revoked', (ctx, grantId) => {
    const result =
      ctx.path === BROKER_PATHS.provider.revocation
        ? ({ kind: 'token_revoked', outcome: 'success' } as const)
        : ({ kind: 'token_reused', outcome: 'invalid_grant' } as const)
    report({ ...result, ...readParty(ctx), grantId })
  })
}

/** Reports that a request to one of the provider's endpoints failed. Those that only look at something are no events. */
export function reportFailure(ctx: KoaContextWithOIDC, failure: ProtocolFailure, report: OnEvent): void {
  const { authorization, registration, revocation, token } = BROKER_PATHS.provider
  if (ctx.path === token) report(describeTokenRequest(ctx, failure))
  else if (ctx.path === registration) report({ kind: 'registration', ...failure })
  else if (ctx.path === revocation) report({ kind: 'token_revoked', ...failure, ...readParty(ctx) })
  else if (ctx.path === authorization || ctx.path.startsWith(`${authorization}/`))
    report({ kind: 'authorization', ...failure, ...readAuthorization(ctx) })
}

type TokenKind = Extract<EventKind['kind'], 'token_issued' | 'token_refreshed' | 'token_exchanged'>

const TOKEN_KINDS: ReadonlyMap<unknown, TokenKind> = new Map<unknown, TokenKind>([
  ['refresh_token', 'token_refreshed'],
  [GRANT_TYPES.token_exchange, 'token_exchanged'],
])

function describeTokenRequest(ctx: KoaContextWithOIDC, result: ProtocolFailure): SecurityEvent {
  const { AccessToken: token } = ctx.oidc.entities
  const { grant_type: grantType, resource, scope } = ctx.oidc.params ?? {}
  const isIssued = result.outcome === 'success' && token !== undefined
  return {
    kind: TOKEN_KINDS.get(grantType) ?? 'token_issued',
    ...result,
    ...readParty(ctx),
    grantType: readText(grantType),
    ...(isIssued
      ? { tokenId: token.jti, resource: readText(token.aud), scopes: splitScope(token.scope) }
      : { resource: readText(resource), scopes: splitScope(scope) }),
  }
}

/** What an authorization request asks for, and for whom. */
export function readAuthorization(ctx: KoaContextWithOIDC): Pick<SecurityEvent, 'subject' | 'clientId' | 'resource' | 'scopes'> {
  const { params, session } = ctx.oidc
  const subject = session?.accountId
  return {
    ...readParty(ctx),
    ...(subject !== undefined && { subject }),
    resource: readText(params?.resource),
    scopes: splitScope(params?.scope),
  }
}

/** Who asks, and for whom, as far as it is known. A client that did not authenticate is the one that the request names. */
function readParty({ oidc }: Pick<KoaContextWithOIDC, 'oidc'>): { subject?: string; clientId?: string; grantId?: string } {
  const { AccessToken, RefreshToken, AuthorizationCode, Account } = oidc.entities
  const behind = AccessToken ?? RefreshToken ?? AuthorizationCode
  const subject = behind?.accountId ?? Account?.accountId
  const clientId = oidc.client?.clientId ?? readText(oidc.params?.client_id)
  return {
    ...(subject !== undefined && { subject }),
    ...(clientId !== undefined && { clientId }),
    ...(behind?.grantId !== undefined && { grantId: behind.grantId }),
  }
}

function splitScope(scope: unknown): readonly string[] | undefined {
  return typeof scope === 'string' && scope !== '' ? scope.split(' ') : undefined
}

function readText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
