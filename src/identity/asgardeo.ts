import { cutFinalSlash, type IdentityKind, type Place, type PlaceMistake } from './kind.ts'

const CLOUD = 'https://api.asgardeo.io'

/** Asgardeo, or WSO2 Identity Server at `base_url`. Its issuer ends in `/oauth2/token`. */
export const asgardeo: IdentityKind = {
  groups: {
    claim: 'groups',
    scope: 'groups',
    setup: 'Asgardeo sends groups for the scope groups, to an application that has Groups among its user attributes.',
  },
  needs: [['organization'], ['base_url'], ['issuer']],
  takes: ['base_url'],
  findMistake,
  describe: (place) => ({
    name: 'Asgardeo',
    issuer: place.issuer ?? `${findTenantBase(place)}/oauth2/token`,
    scopes: ['openid', 'profile', 'email'],
    // Its client ids hold characters that RFC 6749 §2.3.1 has encoded in a header, and not every version decodes them.
    clientAuthentication: 'client_secret_post',
    notes: [
      'A refresh token comes with every sign-in when the application has that grant; the end of the session there ends it here.',
    ],
  }),
}

/**
 * Base of an organization's endpoints, however it was written: with or without `/oauth2` or `/oauth2/token` at its end.
 *
 * @returns without a final slash
 */
export function findTenantBase({ organization, base_url: base = CLOUD }: Place): string {
  const bare = cutFinalSlash(base).replace(/\/oauth2(?:\/token)?$/, '')
  return organization === undefined ? bare : `${bare}/t/${encodeURIComponent(organization)}`
}

function findMistake({ organization, base_url: base, issuer }: Place): PlaceMistake | undefined {
  if (issuer !== undefined && base !== undefined)
    return { key: 'base_url', reason: 'has no use beside `issuer`, which begins with it', fix: 'Remove one of the two.' }
  if (organization === undefined || base === undefined || !/\/t\/[^/]/.test(base)) return undefined
  return { key: 'organization', reason: 'is in `base_url` already', fix: 'Remove one of the two.' }
}
