import type { KeyRing } from '../access-keys/key-ring.ts'
import { ACCESS_KEY_ISSUER } from '../core/access-key.ts'
import { ProxyError } from '../core/errors.ts'
import type { Plan } from '../core/plan/plan.ts'

/**
 * The keys of a ring, but for those that stand for users of an issuer which no server accepts any more: an operator who takes an issuer out
 * takes its users out, and may not think of their keys.
 *
 * @param findPlan - the one in force
 */
export function withoutForeignKeys({ find }: Pick<KeyRing, 'find'>, findPlan: () => Plan): Pick<KeyRing, 'find'> {
  let known: { readonly plan: Plan; readonly issuers: ReadonlySet<string> } | undefined
  const listAccepted = (): ReadonlySet<string> => {
    const plan = findPlan()
    if (known?.plan !== plan) known = { plan, issuers: listIssuers(plan) }
    return known.issuers
  }
  return {
    find(digest) {
      const held = find(digest)
      const issuer = held?.principal.issuer
      if (held === undefined || held.isRevoked || issuer === ACCESS_KEY_ISSUER) return held
      if (issuer !== undefined && listAccepted().has(issuer)) return held
      const cause = `the access key ${JSON.stringify(held.key.name)} is of a user of ${issuer}, whose tokens no server accepts`
      throw new ProxyError('token_invalid', { reason: 'access_key_issuer', cause })
    },
  }
}

function listIssuers({ servers }: Plan): ReadonlySet<string> {
  return new Set(servers.flatMap(({ issuers }) => issuers.map(({ issuer }) => issuer)))
}
