import type { Plan } from '../core/plan/plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import type { Finding } from './finding.ts'
import type { ClientPrediction } from './predict-clients.ts'
import { createRedaction, escapeControlCharacters } from './untrusted-text.ts'

/** What the doctor found. */
export interface Report {
  readonly findings: readonly Finding[]
  readonly clients: readonly ClientPrediction[]
}

/** The last step before output: redacts secrets and escapes control characters, whatever their source. */
export function redactReport({ findings, clients }: Report, plan: Plan, token: string | undefined): Report {
  const withoutSecrets = createRedaction([...listSecrets(plan), ...(token === undefined ? [] : [token])])
  const clean = (text: string) => escapeControlCharacters(withoutSecrets(text))
  return {
    findings: findings.map((finding) => ({
      ...finding,
      about: clean(finding.about),
      says: clean(finding.says),
      fix: finding.fix === undefined ? undefined : clean(finding.fix),
    })),
    clients: clients.map((client) => ({ ...client, reasons: client.reasons.map(clean) })),
  }
}

function listSecrets({ servers, broker, egress, store }: Plan): string[] {
  const upstreams = servers.flatMap(({ endpoints }) => endpoints.map(({ upstream }) => upstream))
  const ofUpstreams = upstreams.flatMap((upstream) =>
    upstream.kind === 'http' ? Object.values(upstream.headers) : upstream.secrets,
  )
  const authentications = [
    broker?.identityProvider.clientAuthentication,
    ...servers.flatMap(({ issuers }) => issuers.map(({ introspection }) => introspection?.clientAuthentication)),
    ...servers.flatMap(listCredentialAuthentications),
  ]
  const ofAdmin = broker?.identityProvider.asgardeo?.admin.clientSecret
  const ofProxies = [egress.https, egress.http].flatMap((proxy) => proxy?.credentials?.password ?? [])
  return [
    ...ofUpstreams,
    ...ofProxies,
    ...listStoreSecrets(store),
    ...(ofAdmin === undefined ? [] : [ofAdmin]),
    ...authentications.flatMap((one) => (one !== undefined && 'secret' in one ? [one.secret] : [])),
  ]
}

function listStoreSecrets(store: Plan['store']): string[] {
  if (store.kind !== 'redis') return []
  const users = [store.user, ...(store.place.kind === 'sentinel' ? [store.place.user] : [])]
  return users.flatMap(({ password }) => password ?? [])
}

function listCredentialAuthentications({ credential }: ServerPlan) {
  if (credential.kind === 'own_account') return [credential.account.client?.clientAuthentication]
  if (credential.kind !== 'delegated') return []
  const { delegation } = credential
  const provider = delegation.kind === 'identity_assertion' ? [delegation.identityProvider] : []
  return [delegation.server, ...provider].map(({ clientAuthentication }) => clientAuthentication)
}
