import { randomUUID } from 'node:crypto'
import { systemClock } from '../core/clock.ts'
import { ProxyError } from '../core/errors.ts'
import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import { createMetadataSource } from '../oauth/authorization-server-metadata.ts'
import { createIntrospection } from '../oauth/introspection.ts'
import { createIssuerFetch } from '../oauth/safe-fetch.ts'
import { explainFailure } from './failure.ts'
import type { Finding, Findings } from './finding.ts'

/** What to do, by what the reason says. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /status (?:400|401|403)/,
    'Correct `introspection.client_id` and `client_secret` (or `client_authentication`), and permit the client to introspect at the issuer.',
  ],
  [
    /names no introspection_endpoint/,
    'Write its URL as `introspection.endpoint`. Some servers have one and leave it out of their metadata, or have it at another port.',
  ],
]

/** Asks about a token that cannot exist: who may ask is told so (RFC 7662 §2.2). */
export async function checkIntrospection(plan: IssuerPlan, about: Findings): Promise<Finding[]> {
  if (plan.introspection === undefined) return []
  const { fetchJson, close } = createIssuerFetch(plan)
  const metadata = createMetadataSource(plan, fetchJson, systemClock)
  try {
    const introspection = createIntrospection({
      plan: plan.introspection,
      issuer: plan.issuer,
      metadata,
      fetchJson,
      clock: systemClock,
    })
    const claims = await introspection.introspect(randomUUID(), randomUUID(), '')
    if (claims === undefined)
      return [about.ok('introspection', 'It answers token introspection, and accepts the credentials of the proxy.')]
    return [
      about.problem(
        'introspection_accepts_all',
        'Token introspection calls a token active that does not exist.',
        'Check what `introspection.endpoint` leads to: it must be the introspection endpoint (RFC 7662).',
      ),
    ]
  } catch (error) {
    const { reason, fix } = explainFailure(error instanceof ProxyError ? error.cause : error)
    const advice = ADVICE.find(([sign]) => sign.test(reason))?.[1] ?? fix
    return [about.problem('introspection_fails', `Token introspection fails: ${reason}.`, advice)]
  } finally {
    await close()
  }
}
