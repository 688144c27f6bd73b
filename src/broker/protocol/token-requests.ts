import { type Configuration, Provider, type TokenEndpointGrantContext } from 'oidc-provider'

/** What a token can be asked for, as far as token requests have to know it. */
export interface Target {
  readonly identifier: string
  readonly scopes: ReadonlySet<string>
}

export interface TokenRequestOptions {
  /** Finds a resource by its identifier, however a client spells it. */
  readonly findTarget: (identifier: string) => Target | undefined
  /** Runs when all else of a token request is done, just before its answer. */
  readonly beforeAnswer?: () => Promise<void>
}

/**
 * Creates a provider whose token endpoint forgives what its authorization endpoint forgave: another spelling of the resource, scopes
 * that is unknown. The redirect URI may be left out (OAuth 2.1 §10.2): PKCE binds the code to its client.
 */
export function createForgivingProvider(issuer: string, configuration: Configuration, options: TokenRequestOptions): Provider {
  class ForgivingProvider extends Provider {
    // The provider registers its own grants by it, too.
    override registerGrantType<P extends object>(name: string, handler: Handler<P>, ...more: Duplicable): void {
      const handle: Handler<P> = async (ctx) => {
        await settleParameters(ctx, options)
        await handler(ctx)
        await options.beforeAnswer?.()
      }
      super.registerGrantType<P>(name, handle, ...more)
    }
  }
  return new ForgivingProvider(issuer, configuration)
}

type Handler<P extends object> = (ctx: TokenEndpointGrantContext<P>) => void | Promise<void>
type Names = string | readonly string[] | ReadonlySet<string>
type Duplicable = [parameters?: Names, duplicates?: Names]

/** What a code or refresh token was given for. */
interface Source {
  readonly resource?: unknown
  readonly redirectUri?: string | undefined
  readonly scopes: ReadonlySet<string>
}

async function settleParameters({ oidc }: TokenEndpointGrantContext, { findTarget }: TokenRequestOptions): Promise<void> {
  const parameters = oidc.params as Record<string, string | undefined>
  const source = await findSource(oidc)
  const target = typeof source?.resource === 'string' ? findTarget(source.resource) : undefined
  if (source === undefined || target === undefined) return
  // The provider compares letter by letter.
  if (typeof parameters.resource === 'string' && findTarget(parameters.resource)?.identifier === target.identifier)
    parameters.resource = String(source.resource)
  if (oidc.params.grant_type === 'refresh_token') parameters.scope = settleRefreshScopes(parameters.scope, source, target)
  else parameters.redirect_uri ??= source.redirectUri
}

async function findSource({ provider, params }: TokenEndpointGrantContext['oidc']): Promise<Source | undefined> {
  const { code, refresh_token: refreshToken } = params as Record<string, string>
  const lasting = { ignoreExpiration: true }
  switch (params.grant_type) {
    case 'authorization_code':
      return provider.AuthorizationCode.find(code ?? '', lasting)
    case 'refresh_token':
      return provider.RefreshToken.find(refreshToken ?? '', lasting)
    default:
      return undefined
  }
}

/**
 * The scopes of a refresh without those that the resource does not know and the sign-in did not bring: clients ask for the same as at the
 * beginning, and were not refused then. Undefined for all that were granted (RFC 6749 §6), as where none of the resource is named.
 */
function settleRefreshScopes(asked: string | undefined, { scopes }: Source, target: Target): string | undefined {
  const known = (asked ?? '').split(' ').filter((scope) => target.scopes.has(scope) || scopes.has(scope))
  return known.some((scope) => target.scopes.has(scope)) ? known.join(' ') : undefined
}
