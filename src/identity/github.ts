import { cutFinalSlash, type IdentityKind, type Place } from './kind.ts'

const GITHUB = 'https://github.com'

/** GitHub, or GitHub Enterprise Server at `base_url`: OAuth without OpenID Connect; users keep their number when they change their name. */
export const github: IdentityKind = {
  groups: { claim: 'organizations', scope: 'read:org' },
  needs: [[]],
  takes: ['base_url', 'organization'],
  describe: (place) => ({
    name: 'GitHub',
    // What it says of itself in `iss`.
    issuer: `${findBase(place)}/login/oauth`,
    oauth: describeEndpoints(place),
    scopes: listScopes(place),
    clientAuthentication: 'client_secret_post',
    openTo: place.organization === undefined && findBase(place) === GITHUB ? 'everybody with a GitHub account' : undefined,
    ...(place.organization !== undefined && { allow: [{ claim: 'organizations', values: [place.organization] }] }),
    notes: [
      'Knows users by their number (`id`), which stays when a name changes hands; email counts when it is the verified primary one.',
      place.organization === undefined
        ? 'Claims for `allow` and `grant`: login, id, email, email_domain, and organizations with the scope read:org.'
        : `Only members of ${place.organization} may sign in; the organization has to let the application see its members.`,
    ],
  }),
}

function describeEndpoints(place: Place) {
  const base = findBase(place)
  const api = base === GITHUB ? 'https://api.github.com' : `${base}/api/v3`
  const scopes = listScopes(place)
  return {
    authorizationEndpoint: `${base}/login/oauth/authorize`,
    tokenEndpoint: `${base}/login/oauth/access_token`,
    userinfoEndpoint: `${api}/user`,
    subjectClaim: 'id',
    emailsEndpoint: scopes.some((scope) => scope === 'user:email' || scope === 'user') ? `${api}/user/emails` : undefined,
    organizationsEndpoint: scopes.includes('read:org') ? `${api}/user/orgs?per_page=100` : undefined,
  }
}

function listScopes({ scopes, organization }: Place): readonly string[] {
  return scopes ?? ['read:user', 'user:email', ...(organization === undefined ? [] : ['read:org'])]
}

function findBase({ base_url: base = GITHUB }: Place): string {
  return cutFinalSlash(base)
}
