import { cutFinalSlash, type IdentityKind } from './kind.ts'

/** Keycloak: one issuer for each realm, without a final slash; every answer carries `iss`. */
export const keycloak: IdentityKind = {
  groups: {
    claim: 'groups',
    setup:
      'Keycloak sends groups once the client has a mapper of the type Group Membership with the token claim name groups; roles only count where `groups_claim` names them.',
  },
  needs: [['base_url', 'realm'], ['issuer']],
  takes: [],
  describe: ({ base_url: base = '', realm = '', issuer }) => ({
    name: 'Keycloak',
    issuer: issuer ?? `${cutFinalSlash(base)}/realms/${encodeURIComponent(realm)}`,
    // No offline_access: refresh tokens come without it, and with it sessions outlive a logout.
    scopes: ['openid', 'profile', 'email'],
    clientAuthentication: 'client_secret_basic',
    notes: [
      'A refresh token comes with every sign-in; the end of the user’s session at Keycloak ends it here.',
      'Roles and groups count once a mapper of the client puts them into the ID token or the userinfo (`realm_access.roles`, `groups`).',
    ],
  }),
}
