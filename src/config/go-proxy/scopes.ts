import { isObject } from '../../core/is-object.ts'
import { MCP_FAMILIES, MCP_METHODS } from '../../core/mcp-methods.ts'
import { findTemplatePattern } from '../format/template-pattern.ts'
import { type ConfigPath, formatPath, quote } from '../problem/problem.ts'
import type { RuleConfig } from '../schema/access.ts'
import type { GoNotes } from './translation-notes.ts'

/** A rule as the Go proxy knew it: what it is about, and scopes. */
type ScopeRule = Pick<RuleConfig, 'method' | 'tool' | 'prompt' | 'resource' | 'path'> & { readonly scopes: string[] }

/** What `scopes_supported` of the Go proxy's format asks for. */
export interface GoScopes {
  /** Scopes of every request. */
  readonly scopes: readonly string[]
  readonly rules: readonly ScopeRule[]
}

/** What a translation of scopes needs to know. */
interface Reading {
  readonly at: ConfigPath
  /** Public paths of the server. */
  readonly paths: readonly string[]
  readonly notes: GoNotes
}

type Matcher = Omit<ScopeRule, 'scopes'>

/**
 * Translates `scopes_supported` in any of its shapes: a plain list, a map of paths, a map of method families, or a list of maps.
 *
 * @param value - what stands there
 * @param at - where
 * @param paths - public paths of the server
 * @param notes - takes what cannot be translated, or reads differently
 */
export function translateScopes(value: unknown, at: ConfigPath, paths: readonly string[], notes: GoNotes): GoScopes {
  const { scopes, rules } = translateShape(value, { at, paths, notes })
  noteFamilies(rules, at, notes)
  // A method or tool that is listed without a scope needed none.
  return { scopes, rules: rules.filter((rule) => rule.scopes.length > 0) }
}

/** The Go proxy took the scopes of a whole method instead of those of its family. */
function noteFamilies(rules: readonly ScopeRule[], at: ConfigPath, notes: GoNotes): void {
  const methods = rules.flatMap(({ method }) => method ?? [])
  for (const family of methods.filter((method) => method.endsWith('/*'))) {
    const members = methods.filter((method) => method !== family && method.startsWith(family.slice(0, -1)))
    if (members.length > 0) notes.note(formatPath(at), `${members.join(', ')} needs the scopes of ${family} as well (\`rules\`).`)
  }
}

function translateShape(value: unknown, reading: Reading): GoScopes {
  if (value === undefined || value === null) return { scopes: [], rules: [] }
  if (typeof value === 'string') return { scopes: splitScopes(value, reading), rules: [] }
  if (Array.isArray(value)) return translateList(value, reading)
  if (typeof value === 'object') return { scopes: [], rules: translateMap(value, reading) }
  refuse(reading, 'is neither a list nor a block of keys')
  return { scopes: [], rules: [] }
}

/** A list of scopes that every request needs, or of maps from methods to scopes; or both. */
function translateList(list: readonly unknown[], reading: Reading): GoScopes {
  const parts = list.map((item, index) => {
    const below = { ...reading, at: [...reading.at, index] }
    if (typeof item === 'string') return { scopes: splitScopes(item, below), rules: [] }
    if (isObject(item)) return { scopes: [], rules: translateMap(item, below) }
    refuse(below, 'is neither a scope nor a block of keys')
    return { scopes: [], rules: [] }
  })
  return { scopes: unique(parts.flatMap((part) => part.scopes)), rules: parts.flatMap((part) => part.rules) }
}

function translateMap(map: object, reading: Reading): ScopeRule[] {
  return Object.entries(map).flatMap(([key, value]) => {
    const below = { ...reading, at: [...reading.at, key] }
    const target = findTargets(key, value, below)
    return target ?? readMatchers(key, below).map((matcher) => ({ ...matcher, scopes: readScopes(value, below) }))
  })
}

/** `tools/call: [{ echo: "s" }]`: scopes for single tools, prompts or resources. Undefined when the value names none. */
function findTargets(method: string, value: unknown, reading: Reading): ScopeRule[] | undefined {
  const items = Array.isArray(value) && value.some(isObject) ? value : undefined
  if (items === undefined && !isObject(value)) return undefined
  const kind = targetKind(method.replace(/^\//, ''))
  if (kind === undefined) {
    refuse(reading, `names targets, which the method ${quote(method)} does not have`)
    return []
  }
  if (kind === 'resource')
    reading.notes.note(formatPath(reading.at), 'resource URIs are matched here; the Go proxy never did (`rules[].resource`).')
  if (items === undefined) return translateTargets(kind, value, reading)
  return items.flatMap((item, index) => translateTargets(kind, item, { ...reading, at: [...reading.at, index] }))
}

function translateTargets(kind: 'tool' | 'prompt' | 'resource', block: unknown, reading: Reading): ScopeRule[] {
  if (!isObject(block)) {
    refuse(reading, 'is not a block of keys, unlike the other items')
    return []
  }
  return Object.entries(block).map(([name, value]) => {
    const below = { ...reading, at: [...reading.at, name] }
    return {
      [kind]: kind === 'resource' ? readUri(name, below) : readPattern(kind, name, below),
      scopes: readScopes(value, below),
    }
  })
}

function readPattern(kind: string, name: string, { at, notes }: Reading): string {
  if (name.includes('*')) notes.note(formatPath(at), `* stands for any characters in \`rules[].${kind}\`.`)
  return name
}

function readUri(uri: string, { at, notes }: Reading): string {
  const pattern = uri === '*' ? '**' : findTemplatePattern(uri)
  if (pattern !== undefined) notes.note(formatPath(at), `is read as ${quote(pattern)} (\`rules[].resource\`).`)
  else if (uri.includes('*'))
    notes.note(formatPath(at), '* stands for characters of a segment, ** for any in `rules[].resource`.')
  return pattern ?? uri
}

function targetKind(method: string): 'tool' | 'prompt' | 'resource' | undefined {
  if (method === 'tools/call' || method === 'tools') return 'tool'
  if (method === 'prompts/get' || method === 'prompts') return 'prompt'
  return method === 'resources/read' || method === 'resources' ? 'resource' : undefined
}

/** What a key of a map stands for: behind a slash a request path, else a method or tool; without one a method or a family of methods. */
function readMatchers(key: string, reading: Reading): Matcher[] {
  if (!key.startsWith('/')) return readMethod(key)
  const path = findRequestPath(key, reading.paths)
  if (path !== undefined) {
    if (path !== key) reading.notes.note(formatPath(reading.at), `is read as the path ${path} (\`rules[].path\`).`)
    return [{ path }]
  }
  const name = key.slice(1)
  if (name.includes('/') || MCP_METHODS.has(name) || MCP_FAMILIES.has(name)) return readMethod(name)
  if (!/^[\w.-]+$/.test(name)) {
    refuse(reading, 'is neither a path of the proxy nor the name of a method or tool')
    return []
  }
  reading.notes.note(
    formatPath(reading.at),
    `no such path is served, so it is read as the tool ${quote(name)} (\`rules[].tool\`).`,
  )
  return [{ tool: name }]
}

function readMethod(name: string): Matcher[] {
  if (name.includes('/') || MCP_METHODS.has(name)) return [{ method: name }]
  // The Go proxy compared with the whole method first, then with what stands before its slash.
  return MCP_FAMILIES.has(name) ? [{ method: `${name}/*` }] : [{ method: name }, { method: `${name}/*` }]
}

/** Its README protects `/message` where the proxy serves `/messages/`. */
function findRequestPath(key: string, paths: readonly string[]): string | undefined {
  const bare = key.replace(/\/$/, '')
  return (
    paths.find((path) => path === key) ??
    paths.find((path) => path.replace(/\/$/, '') === bare) ??
    paths.find((path) => path.replace(/s?\/?$/, '') === bare && bare.endsWith('/message'))
  )
}

function readScopes(value: unknown, reading: Reading): string[] {
  if (typeof value === 'string') return splitScopes(value, reading)
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) {
    return unique(value.flatMap((item) => splitScopes(item, reading)))
  }
  refuse(reading, 'is neither a scope nor a list of scopes')
  return []
}

/** The Go proxy took blanks and commas for separators. */
function splitScopes(text: string, reading: Reading): string[] {
  const scopes = unique(text.split(/[\s,]+/).filter((scope) => scope !== ''))
  if (!scopes.includes('offline_access')) return scopes
  reading.notes.note(
    formatPath(reading.at),
    '`offline_access` is left out: clients that want refresh tokens ask the issuer by themselves.',
  )
  return scopes.filter((scope) => scope !== 'offline_access')
}

function refuse({ at, notes }: Reading, reason: string): void {
  notes.refuse(at, { reason, fix: 'Write a scope, a list of scopes, or a block of methods or paths with their scopes.' })
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)]
}
