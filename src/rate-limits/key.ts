import { hash } from 'node:crypto'
import type { Call } from '../core/call.ts'
import type { RateLimitPlan, RateLimitSubject } from '../core/plan/rate-limit-plan.ts'
import { formatPrincipalKey } from '../core/principal.ts'

/**
 * Names a count: the limit, and by what it counts. A digest, since a store that is shared must not learn who calls.
 *
 * @param tool - undefined where tools are not counted apart
 */
export function formatKey({ countedAs, per }: RateLimitPlan, server: string, call: Call, tool?: string): string {
  const parts = per.map((subject) => formatPart(subject, server, call, tool))
  return hash('sha256', JSON.stringify([countedAs, ...parts]), 'base64url')
}

function formatPart(subject: RateLimitSubject, server: string, { principal }: Call, tool: string | undefined): unknown {
  switch (subject) {
    case 'principal':
      return formatPrincipalKey(principal)
    case 'client':
      // The same client id at two issuers is two clients.
      return [principal.issuer, principal.clientId ?? null]
    case 'server':
      return server
    case 'tool':
      // Tools of one name at two servers are two tools.
      return [server, tool ?? null]
  }
}
