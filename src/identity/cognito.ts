import type { IdentityKind } from './kind.ts'

/** `eu-west-1_AbCdEf123`: the id of a user pool begins with its region. */
const POOL = /^(?<region>[a-z]{2}(?:-[a-z]+)+-\d)_\w+$/

/** Amazon Cognito: the issuer is of the region, the endpoints are at the domain of the user pool, as its metadata says. */
export const cognito: IdentityKind = {
  groups: { claim: 'cognito:groups' },
  needs: [['user_pool'], ['issuer']],
  takes: ['region'],
  findMistake({ user_pool: pool, region, issuer }) {
    if (issuer !== undefined && region !== undefined)
      return { key: 'region', reason: 'has no use beside `issuer`, which names it', fix: 'Remove one of the two.' }
    if (pool === undefined) return undefined
    const found = POOL.exec(pool)?.groups?.region
    if (found === undefined)
      return { key: 'user_pool', reason: 'is not the id of a user pool', fix: 'Write it like eu-west-1_AbCdEf123.' }
    if (region === undefined || region === found) return undefined
    return { key: 'region', reason: `is not that of the user pool (${found})`, fix: 'Leave it out: the user pool names it.' }
  },
  describe: ({ user_pool: pool = '', issuer }) => ({
    name: 'Amazon Cognito',
    issuer: issuer ?? formatIssuer(pool),
    // The default of application clients there.
    scopes: ['openid', 'email'],
    clientAuthentication: 'client_secret_basic',
    openTo: 'everybody who signs up at that user pool (Cognito lets everybody, unless self-registration is off there)',
    notes: [
      'Always names scopes: without, Cognito gives a code that cannot be exchanged. A refresh token comes with every sign-in.',
      'Groups are in the claim cognito:groups. The user pool needs a domain for its sign-in pages.',
    ],
  }),
}

function formatIssuer(pool: string): string {
  return `https://cognito-idp.${POOL.exec(pool)?.groups?.region}.amazonaws.com/${pool}`
}
