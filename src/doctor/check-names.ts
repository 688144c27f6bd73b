import type { ServerPlan } from '../core/plan/server-plan.ts'
import { type Finding, type Findings, findingsAbout } from './finding.ts'
import { findMeant, isListed, listPatterns, type NamePattern } from './name-patterns.ts'
import type { ItemsProbe } from './probe-items.ts'
import { quoteUntrusted } from './untrusted-text.ts'

/** A server, and what it lists. */
export interface ListedServer {
  readonly server: ServerPlan
  readonly probe: ItemsProbe
}

interface UnknownName {
  readonly named: NamePattern
  readonly meant: string | undefined
}

/** Whether what `access` and `rules` name is there. An entry about another name opens nothing, and a rule about one protects nothing. */
export function checkNames(servers: readonly ListedServer[]): Finding[] {
  const found = servers.map((one) => ({ ...one, patterns: listPatterns(one.server.policy), unknown: listUnknown(one) }))
  const own = found.flatMap(({ server, probe, unknown }) => {
    const about = findingsAbout(`server ${server.name}`)
    const named = unknown.filter(({ named: { label } }) => !isShared(label))
    if (probe.kind === 'failure') return [skip(probe.reason, about)]
    return named.length === 0
      ? [about.ok('names', 'It lists what `access` and `rules` of it name.')]
      : named.map((one) => tell(one, about))
  })
  return [...own, ...checkShared(found)]
}

/** Of an entry at the top each name is one of some server. */
function checkShared(
  found: readonly {
    readonly probe: ItemsProbe
    readonly patterns: readonly NamePattern[]
    readonly unknown: readonly UnknownName[]
  }[],
): Finding[] {
  const about = findingsAbout('all servers')
  if (found.some(({ probe }) => probe.kind === 'failure')) return []
  const key = ({ label, kind, pattern }: NamePattern): string => JSON.stringify([label, kind, pattern])
  const all = found.flatMap(({ unknown }) => unknown).filter(({ named }) => isShared(named.label))
  return [...Map.groupBy(all, ({ named }) => key(named))].flatMap(([shared, unknown]) => {
    const having = found.filter(({ patterns }) => patterns.some((named) => key(named) === shared))
    const best = unknown.find(({ meant }) => meant !== undefined) ?? unknown[0]
    return unknown.length < having.length || best === undefined ? [] : [tell(best, about)]
  })
}

function isShared(label: string): boolean {
  return label.startsWith('access[')
}

function listUnknown({ server, probe }: ListedServer): UnknownName[] {
  if (probe.kind === 'failure') return []
  return listPatterns(server.policy)
    .filter((named) => !isListed(named, probe.items))
    .map((named) => ({ named, meant: findMeant(named, probe.items) }))
}

/** Why the lists of a server are not known, although they would be compared. */
function skip(reason: string, about: Findings): Finding {
  return about.skipped('names_not_compared', `What \`access\` and \`rules\` name was not compared with its lists: ${reason}.`)
}

function tell({ named: { label, kind, pattern }, meant }: UnknownName, about: Findings): Finding {
  const what = pattern.includes('*') ? `no ${kind} like` : `no ${kind}`
  return about.warning(
    'name_unknown',
    `${label} names ${quoteUntrusted(pattern)}, and there is ${what} that in its lists: an entry opens nothing by it, a rule protects nothing.`,
    meant === undefined
      ? 'Write the name as the MCP server lists it. Leave it if the server lists it to some users only, or only later.'
      : `Was ${quoteUntrusted(meant)} meant? The MCP server lists ${pattern.includes('*') ? 'names that fit it' : 'it'}.`,
  )
}
