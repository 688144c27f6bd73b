import type { EndpointPlan, ServerPlan } from '../core/plan/server-plan.ts'
import { checkNames } from './check-names.ts'
import type { CheckedToken } from './check-token.ts'
import type { Finding } from './finding.ts'
import { listPatterns } from './name-patterns.ts'
import { type ItemsProbe, probeHttpItems } from './probe-items.ts'

/** An upstream that was asked what it is. */
export interface ExaminedUpstream {
  readonly server: ServerPlan
  readonly endpoint: EndpointPlan
  /** Where it was found: a redirect may differ by a final slash. */
  readonly url: string | undefined
  readonly findings: readonly Finding[]
  /** Of a process, which is started once for all questions. */
  readonly items: ItemsProbe | undefined
}

/** Reads the lists of the servers whose policy names something, and compares. */
export async function examineNames(
  upstreams: readonly ExaminedUpstream[],
  token: string | undefined,
  { acceptedBy }: CheckedToken,
): Promise<Finding[]> {
  const naming = upstreams.filter(({ server }) => listPatterns(server.policy).length > 0)
  const listed = [...Map.groupBy(naming, ({ server }) => server)].map(async ([server, own]) => {
    const accepted = acceptedBy.has(server.name) ? token : undefined
    return { server, probe: await probeItems(server, own, accepted) }
  })
  return checkNames(await Promise.all(listed))
}

/** @param token - one that the server accepts: no other may go on to its upstream */
async function probeItems(
  { credential }: ServerPlan,
  upstreams: readonly ExaminedUpstream[],
  token: string | undefined,
): Promise<ItemsProbe> {
  const ofProcess = upstreams.find(({ items }) => items !== undefined)?.items
  if (ofProcess !== undefined) return ofProcess
  if (upstreams.some(({ findings }) => findings.some(({ verdict }) => verdict === 'problem')))
    return fail('see the problem above')
  const found = upstreams.find(({ endpoint }) => endpoint.kind === 'streamable_http')
  if (found?.endpoint.upstream.kind !== 'http') return fail('it speaks HTTP+SSE, over which the doctor reads no lists')
  if (credential.kind === 'identity_provider')
    return fail('it is asked with tokens that only users of the identity provider have')
  if (credential.kind === 'access_token' && token === undefined)
    return fail('it is asked with the token of the caller. Pass one that it accepts with --token FILE')
  const { upstream } = found.endpoint
  return probeHttpItems({ ...upstream, url: found.url ?? upstream.url }, credential.kind === 'access_token' ? token : undefined)
}

function fail(reason: string): ItemsProbe {
  return { kind: 'failure', reason }
}
