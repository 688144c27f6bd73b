import { isObject } from '../../core/is-object.ts'
import { type CheckedConfig, type CheckSource, checkConfig } from '../check/check-config.ts'
import { ConfigError, type ConfigPath, formatPath } from '../problem/problem.ts'
import { parsePartially } from '../schema/partial-config.ts'
import { type ConfigInput, configSchema } from '../schema/schema.ts'
import { type Overridden, withOverrideNames } from '../source/overrides.ts'
import { hasDemo, noteGone, useDemo } from './asgardeo.ts'
import { translateEdge, translateEdgeOfSandbox } from './edge.ts'
import { listPaths, translateEndpoints } from './endpoints.ts'
import { withGoProxyKeyNames } from './key-names.ts'
import { findProcess } from './process.ts'
import { GO_METADATA_KEYS, type GoMetadata, type GoProxyConfig, goProxySchema } from './schema.ts'
import { translateScopes } from './scopes.ts'
import { signInAtSandbox, translateSignIn } from './sign-in.ts'
import { createGoNotes, formatGoNotice, type GoNotes } from './translation-notes.ts'

/** A configuration of the Go proxy, in our format. */
export interface GoTranslation {
  readonly config: ConfigInput
  /** One line for each key that means something else here. */
  readonly notices: readonly string[]
  /** Whether users sign in at the sandbox that comes with the proxy: `--demo` without a block for it. */
  readonly isSandbox: boolean
  /** Checks the translation with what is said beside the file; mistakes are told in the words of the old file. */
  readonly check: (overridden: Pick<Overridden, 'value' | 'applied'>, source: CheckSource) => CheckedConfig
}

/** What the command line says about a file of the Go proxy's format. */
interface GoFlags {
  /** Users sign in at Asgardeo, whatever else the file names. */
  readonly asgardeo?: boolean | undefined
  /** The same, at the organization of the `demo` block; at the sandbox that comes with the proxy where there is none. */
  readonly demo?: boolean | undefined
}

/** Whether a configuration is of the Go proxy's format: it has keys of that format and none that only ours has. */
export function isGoProxyConfig(value: unknown): boolean {
  if (!isObject(value)) return false
  const keys = Object.keys(value)
  const ours = new Set(Object.keys(configSchema.shape))
  const theirs = new Set(Object.keys(goProxySchema.shape))
  return keys.some((key) => theirs.has(key) && !ours.has(key)) && !keys.some((key) => ours.has(key) && !theirs.has(key))
}

/**
 * Translates a configuration of the Go proxy, of any of its versions.
 *
 * @param value - what {@link isGoProxyConfig} accepts
 * @param flags - what was said on the command line
 * @throws ConfigError with everything that cannot be translated
 */
export function translateGoProxy(value: unknown, flags: GoFlags = {}): GoTranslation {
  const parsed = parsePartially(goProxySchema, dropEmpty(value), () => undefined)
  if (parsed.value === undefined) throw new ConfigError(parsed.problems)
  const notes = createGoNotes()
  const isDemo = flags.demo === true && hasDemo(parsed.value)
  const isSandbox = flags.demo === true && !isDemo
  if (isSandbox) noteGone(parsed.value, notes)
  const go = isDemo ? useDemo(parsed.value, notes) : parsed.value
  const { config, secrets } = translate(go, { asgardeo: flags.asgardeo === true || isDemo, isSandbox }, notes)
  if (notes.problems.length > 0) throw new ConfigError(notes.problems)
  // Secrets stand in the old file itself; in the new configuration they have names.
  const check: GoTranslation['check'] = (overridden, source) =>
    withGoProxyKeyNames(() =>
      withOverrideNames(overridden, () => checkConfig(overridden.value, { ...source, env: { ...source.env, ...secrets } })),
    )
  return { config, notices: notes.notices.map(formatGoNotice), isSandbox, check }
}

interface Translated {
  readonly config: ConfigInput
  readonly secrets: Readonly<Record<string, string>>
}

/** Who signs users in, as the command line says it. */
interface SignIn {
  /** The `asgardeo` block, whatever else the file names. */
  readonly asgardeo: boolean
  /** The sandbox that comes with the proxy as the only issuer. */
  readonly isSandbox: boolean
}

function translate(go: GoProxyConfig, { asgardeo: asgardeoFlag, isSandbox }: SignIn, notes: GoNotes): Translated {
  noteUnused(go, notes)
  const { metadata, places } = collectMetadata(go, notes)
  const endpoints = findProcess(go, notes) ?? translateEndpoints(go, notes)
  const paths = listPaths(endpoints)
  const policy = translatePolicy(go, metadata.scopes_supported, places.scopes_supported ?? ['scopes_supported'], paths, notes)
  const signIn = isSandbox ? signInAtSandbox(go, metadata, notes) : translateSignIn(go, metadata, asgardeoFlag, notes)
  const { issuers, rewriting, asgardeo } = signIn
  const named = [...(metadata.audience ?? []), ...listPresent(metadata.resource_identifier)]
  const audience = [...new Set([...named, ...(rewriting?.audience ?? [])])]
  noteChecks(audience, notes)
  const methods = metadata.bearer_methods_supported as ['header'] | undefined
  const config = {
    ...(isSandbox ? translateEdgeOfSandbox(go, notes) : translateEdge(go, metadata, paths, notes)),
    issuers,
    ...(rewriting !== undefined && { rewrite: rewriting.rewrite }),
    ...asgardeo.config,
    servers: [{ ...endpoints, audience, ...policy, ...(methods ? { bearer_methods: methods } : {}) }],
  }
  return { config, secrets: asgardeo.secrets }
}

function translatePolicy(go: GoProxyConfig, supported: unknown, at: ConfigPath, paths: readonly string[], notes: GoNotes) {
  const { scopes, rules } = translateScopes(supported, at, paths, notes)
  if (scopes.length > 0) notes.note('scopes_supported', 'every request needs all scopes of the list (`scopes`).')
  const required = Object.entries(go.default?.path ?? {}).flatMap(([path, { required_scopes }]) =>
    required_scopes === undefined
      ? []
      : translateScopes({ [path]: required_scopes }, ['default', 'path', path], paths, notes).rules,
  )
  return { scopes: [...scopes], rules: [...rules, ...required] }
}

/** The README put these keys at the top and below `asgardeo`, the code read a block of its own. */
function collectMetadata(
  go: GoProxyConfig,
  notes: GoNotes,
): { metadata: GoMetadata; places: Partial<Record<keyof GoMetadata, ConfigPath>> } {
  const blocks = [[], ['protected_resource_metadata'], ['asgardeo'], ['default'], ['demo']] as const
  const metadata: Record<string, unknown> = {}
  const places: Partial<Record<keyof GoMetadata, ConfigPath>> = {}
  for (const block of blocks) {
    const source: GoMetadata = (block[0] === undefined ? go : go[block[0]]) ?? {}
    for (const key of GO_METADATA_KEYS) {
      if (source[key] === undefined) continue
      if (metadata[key] !== undefined && JSON.stringify(metadata[key]) !== JSON.stringify(source[key])) {
        notes.refuse([...block, key], {
          reason: 'contradicts the same key elsewhere in the file',
          fix: 'Remove one of the two.',
        })
      }
      metadata[key] ??= source[key]
      places[key] ??= [...block, key]
    }
  }
  return { metadata, places }
}

function noteChecks(audience: readonly string[], notes: GoNotes): void {
  if (audience.length === 0) {
    notes.note(
      'audience',
      'none is named: tokens must be issued for the URL of the MCP server, which the Go proxy did not check (`audience`).',
    )
  }
  notes.note(
    'clients before 2025-03-26',
    'are checked like all others, on every path: issuer, expiry, audience and scopes (`legacy_clients` says otherwise).',
  )
}

function noteUnused(go: GoProxyConfig, notes: GoNotes): void {
  for (const key of ['mode', 'authserverbaseurl', 'jwksurl'] as const) {
    if (go[key] !== undefined) notes.note(key, 'has no effect, as before.')
  }
  const mapped = new Set(['/sse', ...Object.values(go.paths ?? {}), ...(go.mcp_paths ?? [])])
  for (const path of Object.keys(go.path_mapping ?? {})) {
    const isFlow = /^\/(?:authorize|token|register|authroize|\.well-known\/.*)$/.test(path)
    if (!isFlow && !mapped.has(path))
      notes.note(formatPath(['path_mapping', path]), 'has no effect: the path is none of `paths`.')
  }
}

/** The Go proxy could not tell an empty key from one that is left out. */
function dropEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(dropEmpty)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) => (member === null || member === '' ? [] : [[key, dropEmpty(member)]])),
  )
}

function listPresent<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value]
}
