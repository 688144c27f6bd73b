import { cutFinalSlash, type IdentityKind, type Place, type PlaceMistake } from './kind.ts'
import { findPublicUsers } from './public-users.ts'

const CLOUD = 'https://login.microsoftonline.com'
const GUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i

/**
 * Microsoft Entra ID. It refuses `resource`, does not say that it knows PKCE (it does), and its user endpoint takes tokens of Microsoft
 * Graph alone, while the ID token has everything that is there.
 */
export const entra: IdentityKind = {
  groups: {
    claim: 'groups',
    setup:
      'Microsoft Entra ID sends groups (object ids) once the application has a groups claim under Token configuration, and leaves all of them out for users in more than 200: choose “Groups assigned to the application” there.',
  },
  needs: [['tenant'], ['issuer']],
  takes: ['base_url'],
  findMistake,
  describe: ({ tenant = '', base_url: base = CLOUD, issuer }) => ({
    name: 'Microsoft',
    issuer: issuer ?? formatIssuer(base, tenant),
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    clientAuthentication: 'client_secret_post',
    userinfo: false,
    accountPrompt: 'select_account',
    openTo: findPublicUsers(issuer ?? formatIssuer(base, tenant)),
    notes: [
      'Never sends resource, which Entra ID refuses (AADSTS9010010), and uses PKCE although its metadata leaves that out.',
      'Claims come from the ID token alone: app roles are in roles, groups (object ids) in groups. Email addresses are not verified there, so `email_domain` never matches: use roles, groups or tid.',
    ],
  }),
}

function formatIssuer(base: string, tenant: string): string {
  return `${cutFinalSlash(base)}/${tenant.toLowerCase()}/v2.0`
}

/** The issuer of tokens has the tenant's id in it, however the tenant was named in a request. */
function findMistake({ tenant, issuer, base_url: base }: Place): PlaceMistake | undefined {
  if (issuer !== undefined && base !== undefined)
    return { key: 'base_url', reason: 'has no use beside `issuer`, which begins with it', fix: 'Remove one of the two.' }
  if (tenant === undefined || GUID.test(tenant)) return undefined
  const isForMany = /^(?:common|organizations|consumers)$/i.test(tenant)
  return {
    key: 'tenant',
    reason: isForMany ? 'stands for the users of every organization' : 'is not a tenant id',
    fix: 'Write the Directory (tenant) ID of the application’s overview page, like 00000000-0000-0000-0000-000000000000.',
  }
}
