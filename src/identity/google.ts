import type { IdentityKind } from './kind.ts'

/** Google. Refresh tokens come for its own parameters, not for `offline_access`; access tokens are opaque. */
export const google: IdentityKind = {
  groups: {
    claim: undefined,
    setup: 'Google sends no groups: use email, email_domain or hd with `claim` instead.',
  },
  needs: [[]],
  takes: ['domain', 'issuer'],
  describe: ({ domain, issuer }) => ({
    name: 'Google',
    issuer: issuer ?? 'https://accounts.google.com',
    scopes: ['openid', 'profile', 'email'],
    // Without `prompt`, a refresh token comes with the very first sign-in only.
    authorizationParameters: { access_type: 'offline', prompt: 'consent', ...(domain !== undefined && { hd: domain }) },
    clientAuthentication: 'client_secret_post',
    accountPrompt: 'select_account',
    openTo: domain === undefined ? 'everybody with a Google account' : undefined,
    ...(domain !== undefined && { allow: [{ claim: 'hd', values: [domain] }] }),
    notes: [
      'Asks by access_type=offline and prompt=consent for a refresh token, since Google refuses the scope offline_access: when the user withdraws consent there, it ends here.',
      ...(domain === undefined
        ? []
        : [`Only accounts of the Workspace ${domain} may sign in: the claim hd is checked, whatever the browser chose.`]),
    ],
  }),
}
