import { isDeepStrictEqual } from 'node:util'
import type { Plan } from '../core/plan/plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import { listDifferent, listHandled, nameSetting } from './plan-members.ts'

/** @returns what a reload changes, as the configuration file names it; never a value, which may be a secret */
export function listChanges(before: Plan, after: Plan): string[] {
  const { servers, listen, broker } = after
  return [
    ...listServerChanges(before.servers, servers),
    ...listIssuerChanges(before, after),
    ...(isDeepStrictEqual(before.listen.tls, listen.tls) ? [] : ['listen.tls: certificate renewed']),
    ...listBrokerChanges(before.broker, broker),
    ...listHandled(before, after, 'reloaded', 'level_only').map(nameSetting),
  ]
}

function listServerChanges(before: readonly ServerPlan[], after: readonly ServerPlan[]): string[] {
  const known = new Map(before.map((server) => [server.name, server]))
  const names = new Set(after.map(({ name }) => name))
  return [
    ...before.filter(({ name }) => !names.has(name)).map(({ name }) => `server ${name}: removed`),
    ...after.flatMap((server) => {
      const former = known.get(server.name)
      if (former === undefined) return [`server ${server.name}: added`]
      const parts = listServerParts(former, server)
      return parts.length === 0 ? [] : [`server ${server.name}: ${parts.join(', ')}`]
    }),
  ]
}

/** What a part of a server's plan is called. */
const PARTS: Readonly<Record<string, string>> = {
  policy: 'access and rules',
  credential: 'upstream credential',
  scopesSupported: 'scopes_supported',
  challengeScopes: 'scopes',
}

function listServerParts(before: ServerPlan, after: ServerPlan): string[] {
  const different = listDifferent(before, after).filter((name) => name !== 'endpoints')
  const select = ({ endpoints }: ServerPlan) => ({
    upstream: endpoints.map(({ upstream }) => upstream),
    paths: endpoints.map(({ upstream: _, ...endpoint }) => endpoint),
  })
  return [...listDifferent(select(before), select(after)), ...different.map((name) => PARTS[name] ?? nameSetting(name))]
}

function listIssuerChanges(before: Plan, after: Plan): string[] {
  const list = ({ servers }: Plan) => new Set(servers.flatMap(({ issuers }) => issuers.map(({ issuer }) => issuer)))
  const [from, to] = [list(before), list(after)]
  return [
    ...[...from].filter((issuer) => !to.has(issuer)).map((issuer) => `issuer ${issuer}: removed`),
    ...[...to].filter((issuer) => !from.has(issuer)).map((issuer) => `issuer ${issuer}: added`),
  ]
}

function listBrokerChanges(before: Plan['broker'], after: Plan['broker']): string[] {
  if (before === undefined || after === undefined) return []
  const { identityProvider: from, ...former } = before
  const { identityProvider: to, ...later } = after
  return [
    ...listDifferent(from, to).map((name) => `identity_provider: ${nameSetting(name)}`),
    ...listDifferent(former, later).map((name) => `broker: ${nameSetting(name)}`),
  ]
}
