import { listEndpoints } from '../derive/endpoints.ts'
import { entriesOf } from '../derive/present-items.ts'
import { closeHierarchy } from '../derive/scope-hierarchy.ts'
import { findScopeFlaw } from '../format/formats.ts'
import { type ConfigPath, quote } from '../problem/problem.ts'
import type { Draft } from '../schema/partial-config.ts'
import type { RuleConfig, ServerConfig } from '../schema/server.ts'
import type { Inspection } from './check-context.ts'
import { findMethodFlaw, findNamePatternFlaw } from './name-patterns.ts'
import { findResourcePatternFlaw } from './resource-patterns.ts'

const MATCHERS = ['method', 'tool', 'prompt', 'resource', 'path'] as const

const PATTERNS = [
  ['method', findMethodFlaw],
  ['tool', findNamePatternFlaw],
  ['prompt', findNamePatternFlaw],
  ['resource', findResourcePatternFlaw],
] as const

/** Checks the rules and scopes of every server. */
export function checkPolicy(inspection: Inspection): void {
  for (const [index, server] of entriesOf(inspection.draft.servers)) {
    const at = ['servers', index]
    const paths = listEndpoints(server).map((endpoint) => endpoint.path)
    for (const [position, rule] of entriesOf(server.rules)) checkRule(rule, paths, [...at, 'rules', position], inspection)
    checkOffline(server.scopes, [...at, 'scopes'], inspection)
    checkOffline(server.scopes_supported, [...at, 'scopes_supported'], inspection)
    checkHierarchy(server, [...at, 'scope_hierarchy'], inspection)
  }
}

function checkRule(rule: Draft<RuleConfig>, paths: readonly string[], at: ConfigPath, inspection: Inspection): void {
  const { isBroken, report } = inspection
  const used = MATCHERS.filter((matcher) => rule[matcher] !== undefined || isBroken([...at, matcher]))
  if (used.length !== 1) {
    const names = MATCHERS.map((matcher) => `\`${matcher}\``).join(', ')
    const reason = used.length === 0 ? 'says for nothing that scopes are needed' : `has ${used.join(' and ')}`
    report(at, { reason, fix: `Use exactly one of ${names}; write another rule for another one.` })
  }
  for (const [key, findFlaw] of PATTERNS) {
    const flaw = rule[key] === undefined ? undefined : findFlaw(rule[key])
    if (flaw) report([...at, key], flaw)
  }
  if (rule.path !== undefined && !paths.includes(rule.path)) {
    report([...at, 'path'], {
      reason: `${quote(rule.path)} is no path of this server`,
      fix: paths.length === 0 ? 'Remove the rule.' : `Write one of ${paths.join(', ')}.`,
    })
  }
  checkOffline(rule.scopes, [...at, 'scopes'], inspection)
}

/** Refresh tokens are a matter between client and issuer (2025-11-25 and 2026-07-28, authorization: never in metadata or challenge). */
function checkOffline(scopes: readonly (string | undefined)[] | undefined, at: ConfigPath, { report }: Inspection): void {
  const index = scopes?.indexOf('offline_access') ?? -1
  if (index < 0) return
  report([...at, index], {
    reason: 'asks clients for `offline_access`, which no MCP server needs',
    fix: 'Remove it. Clients that want refresh tokens ask the issuer by themselves.',
  })
}

function checkHierarchy(server: Draft<ServerConfig>, at: ConfigPath, { isBroken, report }: Inspection): void {
  const hierarchy = server.scope_hierarchy ?? {}
  const known = listKnownScopes(server)
  for (const [scope, implied] of Object.entries(hierarchy)) {
    const flaw = findScopeFlaw(scope)
    if (flaw) report([...at, scope], flaw)
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
function listKnownScopes(server: Draft<ServerConfig>): ReadonlySet<string | undefined> {
  const rules = entriesOf(server.rules).flatMap(([, rule]) => rule.scopes ?? [])
  return new Set([
    ...(server.scopes ?? []),
    ...rules,
    ...(server.scopes_supported ?? []),
    ...Object.keys(server.scope_hierarchy ?? {}),
  ])
}
