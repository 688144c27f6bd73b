import type { IdentityKind } from './kind.ts'

/** Auth0. Its issuer ends in a slash, and access tokens are opaque unless an API is named by `audience`. */
export const auth0: IdentityKind = {
  groups: {
    claim: undefined,
    setup:
      'Auth0 sends none of itself: let an Action add a claim like https://example.com/groups, and name it as `groups_claim`.',
  },
  needs: [['domain'], ['issuer']],
  takes: ['audience'],
  describe: ({ domain, issuer, audience }) => ({
    name: 'Auth0',
    issuer: issuer ?? `https://${domain}/`,
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    ...(audience !== undefined && { authorizationParameters: { audience } }),
    // The default of applications there.
    clientAuthentication: 'client_secret_post',
    openTo: 'everybody who signs up at that tenant (Auth0 lets everybody, unless sign-ups are disabled there)',
    notes: [
      'Asks for offline_access, so that the end of a user’s session at Auth0 ends it here.',
      audience === undefined
        ? 'Without `audience`, access tokens are opaque and good for Auth0’s own user endpoint only.'
        : `Asks for access tokens of the API ${audience} by the parameter audience, never by resource. The API has to allow offline access.`,
    ],
  }),
}
