import type { IdentityKind, Place } from './kind.ts'

/** Okta: the organization itself is an issuer, and so is each custom authorization server below it. */
export const okta: IdentityKind = {
  groups: {
    claim: 'groups',
    setup:
      'Okta sends groups once the authorization server has a claim groups; that of the organization needs a groups claim filter at the application, and the scope groups.',
  },
  needs: [['domain'], ['issuer']],
  takes: ['authorization_server'],
  findMistake: ({ issuer, authorization_server: server }) =>
    issuer === undefined || server === undefined
      ? undefined
      : {
          key: 'authorization_server',
          reason: 'has no use beside `issuer`, which names the authorization server',
          fix: 'Remove one of the two.',
        },
  describe: (place) => ({
    name: 'Okta',
    issuer: findIssuer(place),
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    clientAuthentication: 'client_secret_basic',
    notes: [
      'Asks for offline_access, so that the end of a user’s session at Okta ends it here; the application needs the grant type Refresh Token.',
      /\/oauth2\/[^/]+$/.test(findIssuer(place))
        ? 'Uses a custom authorization server: for the claim groups, add it there.'
        : 'Uses the authorization server of the organization: for the claim groups, add the scope groups and a groups claim filter; its access tokens are good for Okta’s own API only.',
    ],
  }),
}

function findIssuer({ issuer, domain, authorization_server: server }: Place): string {
  return issuer ?? `https://${domain}${server === undefined ? '' : `/oauth2/${encodeURIComponent(server)}`}`
}
