import type { IdentityKind } from './kind.ts'
import { findPublicUsers } from './public-users.ts'

/** Any provider of OpenID Connect, by its issuer. */
export const oidc: IdentityKind = {
  groups: { claim: 'groups' },
  needs: [['issuer']],
  takes: [],
  describe: ({ issuer = '' }) => ({
    name: new URL(issuer).host,
    issuer,
    scopes: ['openid', 'profile', 'email'],
    clientAuthentication: 'client_secret_basic',
    openTo: findPublicUsers(issuer),
    notes: [],
  }),
}

/** Any provider of OAuth without OpenID Connect, by its endpoints. */
export const oauth: IdentityKind = {
  groups: { claim: 'groups' },
  needs: [['oauth']],
  takes: [],
  describe({ oauth: endpoints }) {
    if (endpoints === undefined) throw new Error('the endpoints have not been checked')
    const { origin, host } = new URL(endpoints.authorizationEndpoint)
    return {
      name: host,
      issuer: origin,
      oauth: endpoints,
      scopes: [],
      clientAuthentication: 'client_secret_post',
      openTo: findPublicUsers(endpoints.authorizationEndpoint),
      notes: [],
    }
  },
}
