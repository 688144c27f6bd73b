import { listEndpoints } from '../derive/endpoints.ts'
import { entriesOf } from '../derive/present-items.ts'
import { closeHierarchy } from '../derive/scope-hierarchy.ts'
import { findScopeMistake } from '../format/formats.ts'
import { type ConfigPath, quote } from '../problem/problem.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { ServerConfig } from '../schema/server.ts'
import type { CheckContext } from './check-context.ts'
import { checkRule } from './rule.ts'

/** Checks the rules and scopes of every server. */
export function checkPolicy(context: CheckContext): void {
  for (const [index, server] of entriesOf(context.config.servers)) {
    const at = ['servers', index]
    const paths = listEndpoints(server).map((endpoint) => endpoint.path)
    for (const [position, rule] of entriesOf(server.rules)) {
      checkRule(rule, paths, [...at, 'rules', position], context)
      checkOffline(rule.scopes, [...at, 'rules', position, 'scopes'], context)
    }
    checkOffline(server.scopes, [...at, 'scopes'], context)
    checkOffline(server.scopes_supported, [...at, 'scopes_supported'], context)
    checkHierarchy(server, [...at, 'scope_hierarchy'], context)
  }
}

/** Refresh tokens are a matter between client and issuer (2025-11-25 and 2026-07-28, authorization: never in metadata or challenge). */
function checkOffline(scopes: readonly (string | undefined)[] | undefined, at: ConfigPath, { report }: CheckContext): void {
  const index = scopes?.indexOf('offline_access') ?? -1
  if (index < 0) return
  report([...at, index], {
    reason: 'asks clients for `offline_access`, which no MCP server needs',
    fix: 'Remove it. Clients that want refresh tokens ask the issuer by themselves.',
  })
}

function checkHierarchy(server: PartialConfig<ServerConfig>, at: ConfigPath, { isBroken, report }: CheckContext): void {
  const hierarchy = server.scope_hierarchy ?? {}
  const known = listKnownScopes(server)
  for (const [scope, implied] of Object.entries(hierarchy)) {
    const mistake = findScopeMistake(scope)
    if (mistake) report([...at, scope], mistake)
    for (const [index, lesser] of entriesOf(implied)) {
      if (known.has(lesser) || isBroken(at.slice(0, -1))) continue
      report([...at, scope, index], {
        reason: `${quote(lesser)} is a scope that nothing here asks for`,
        fix: 'Correct it, remove it, or name it in `scopes`, `rules` or `scopes_supported`.',
      })
    }
  }
  for (const scope of closeHierarchy(hierarchy).cyclic) {
    report([...at, scope], { reason: 'includes itself by way of the scopes that it includes', fix: 'Break the circle.' })
  }
}

/** Scopes that something of the server asks for or that have others below them. */
function listKnownScopes(server: PartialConfig<ServerConfig>): ReadonlySet<string | undefined> {
  const rules = entriesOf(server.rules).flatMap(([, rule]) => rule.scopes ?? [])
  return new Set([
    ...(server.scopes ?? []),
    ...rules,
    ...(server.scopes_supported ?? []),
    ...Object.keys(server.scope_hierarchy ?? {}),
  ])
}
