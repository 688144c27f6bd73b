import type { ListedKind } from '../core/decision.ts'
import { findNearest } from '../core/nearest-word.ts'
import type { AccessEntryPlan, PolicyPlan } from '../core/plan/policy-plan.ts'
import { createPolicy } from '../policy/policy.ts'
import type { ServerItems } from './list-items.ts'
import { NO_CALLER } from './no-caller.ts'

type NamedKind = Exclude<ListedKind, 'resource_template'>

/** What a policy names, and where. */
export interface NamePattern {
  /** `access[0]`, `servers[1].access[0]`, `rules[2]` */
  readonly label: string
  readonly kind: NamedKind
  readonly pattern: string
}

/** Each name and pattern of a policy. */
export function listPatterns({ access, rules }: PolicyPlan): NamePattern[] {
  return [
    ...(access?.entries ?? []).flatMap(listOfEntry),
    ...rules.flatMap(({ tool, prompt, resource }, index) => listOf(`rules[${index}]`, { tool, prompt, resource })),
  ]
}

function listOfEntry({ label, tools, prompts, resources }: AccessEntryPlan): NamePattern[] {
  return [
    ...tools.flatMap((tool) => listOf(label, { tool })),
    ...prompts.flatMap((prompt) => listOf(label, { prompt })),
    ...resources.flatMap((resource) => listOf(label, { resource })),
  ]
}

function listOf(label: string, named: Partial<Record<NamedKind, string | undefined>>): NamePattern[] {
  const kinds: readonly NamedKind[] = ['tool', 'prompt', 'resource']
  return kinds.flatMap((kind) => {
    const pattern = named[kind]
    return pattern === undefined ? [] : [{ label, kind, pattern }]
  })
}

/** Whether something that a server lists fits a pattern; a resource may be one that a template becomes. */
export function isListed({ kind, pattern }: Pick<NamePattern, 'kind' | 'pattern'>, items: ServerItems): boolean {
  const policy = createPolicy({ ...NOTHING, access: { mode: 'enforce', entries: [createEntry(kind, pattern)] } })
  // An entry without conditions is for every caller. A filter for each item, as there is one for each result: each has a budget of work.
  const shows = (listed: ListedKind) => (name: string) => policy.createListFilter(NO_CALLER, FACTS)?.shows(listed, name) === true
  return items[kind].some(shows(kind)) || (kind === 'resource' && items.resource_template.some(shows('resource_template')))
}

/** What was probably meant: a name, or the beginning of a pattern with the rest of it. */
export function findMeant({ kind, pattern }: NamePattern, items: ServerItems): string | undefined {
  const star = pattern.indexOf('*')
  if (star < 0) return findNearest(pattern, items[kind])
  const beginnings = items[kind].map((name) => name.slice(0, star))
  const nearest = star === 0 ? undefined : findNearest(pattern.slice(0, star), beginnings)
  const meant = nearest === undefined ? undefined : `${nearest}${pattern.slice(star)}`
  return meant !== undefined && isListed({ kind, pattern: meant }, items) ? meant : undefined
}

const NOTHING: PolicyPlan = { baseScopes: [], rules: [], hierarchy: {}, unlistedOperations: 'permit' }

function createEntry(kind: NamedKind, pattern: string): AccessEntryPlan {
  const named = (wanted: NamedKind): string[] => (kind === wanted ? [pattern] : [])
  return { label: 'access[0]', tools: named('tool'), prompts: named('prompt'), resources: named('resource'), methods: [] }
}

const FACTS = { path: '', server: '', revision: '', address: '', now: () => 0 }
