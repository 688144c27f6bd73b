import type { IdentityProviderKind } from '../core/plan/identity-provider-plan.ts'
import { isMicrosoft } from './public-users.ts'

/** Hosts that belong to one vendor alone. */
const HOSTS: readonly (readonly [host: RegExp, kind: IdentityProviderKind])[] = [
  [/^cognito-idp(?:-fips)?\.[a-z\d-]+\.amazonaws\.com(?:\.cn)?$/, 'cognito'],
  [/\.auth0\.com$/, 'auth0'],
  [/\.(?:okta|okta-emea|oktapreview|okta-gov)\.com$/, 'okta'],
  [/^api(?:\.[a-z\d]+)?\.asgardeo\.io$/, 'asgardeo'],
  [/^accounts\.google\.com$/, 'google'],
]

/**
 * The product that an issuer is of, as far as its URL proves it: a host that is the vendor's own, or the path of a Keycloak realm.
 *
 * @returns undefined where it could be any
 */
export function findKindOfIssuer(issuer: string): IdentityProviderKind | undefined {
  const url = URL.parse(issuer)
  if (url === null) return undefined
  const host = url.hostname.replace(/\.$/, '')
  if (isMicrosoft(host)) return 'entra'
  const kind = HOSTS.find(([pattern]) => pattern.test(host))?.[1]
  return kind ?? (/\/realms\/[^/]+$/.test(url.pathname) ? 'keycloak' : undefined)
}
