import { Document, isMap, isScalar } from 'yaml'
import { listEndpoints } from './derive/endpoints.ts'
import { resolvePublicUrl } from './derive/public-url.ts'
import { isGoProxyConfig, translateGoProxy } from './go-proxy/translate.ts'
import { ConfigError, type Mistake, problemAt } from './problem/problem.ts'
import type { Config, ConfigInput } from './schema/schema.ts'
import { inFile, withPositions } from './source/config-file.ts'

const OTHER_FORMAT: Mistake = {
  reason: 'this is not a configuration of the Go proxy',
  fix: 'Only such files are translated; others are used as they are.',
}

const HEAD =
  ' yaml-language-server: $schema=./config.schema.json\n (written by `open-mcp-auth-proxy schema > config.schema.json`)'

/**
 * Translates a file of the Go proxy's format.
 *
 * @param file - the old file
 * @returns the new file's text; what means something else now stands in comments at its top
 * @throws ConfigError when the file is not of that format, or holds what this version cannot serve
 */
export function migrateConfigFile(file: string): string {
  return inFile(file, migrateConfigText)
}

/** Translates the text of a file. See {@link migrateConfigFile}. */
export function migrateConfigText(text: string): string {
  return withPositions(text, (value) => {
    if (!isGoProxyConfig(value)) throw new ConfigError([problemAt([], OTHER_FORMAT)])
    const { config, notices, check } = translateGoProxy(value)
    // The translation refers to no secrets and files, so where they would be is all the same.
    const checked = check({ value: config, applied: [] }, { env: {}, directory: '.' })
    return formatFile(config, [...formatNotices(notices), ...formatResources(checked.config)])
  })
}

function formatNotices(notices: readonly string[]): string[] {
  return [
    'Translated from the format of the Go proxy. These settings now mean something else:',
    ...notices.map((line) => `- ${line}`),
  ]
}

/** What has to be known where tokens are issued and where clients are set up. */
function formatResources(config: Config): string[] {
  const paths = config.servers.flatMap(listEndpoints).filter(({ kind }) => kind !== 'messages')
  const urls = paths.map(({ path }) => `- ${resolvePublicUrl(config)}${path}`)
  return [
    '',
    'Give clients these URLs, and have the issuer name them (or an `audience` below) as the audience of tokens:',
    ...urls,
  ]
}

function formatFile(config: ConfigInput, remarks: readonly string[]): string {
  const document = new Document(dropDefaults(withKeysAtTop(config)))
  document.commentBefore = [HEAD, '', ...remarks.map((line) => ` ${line}`.trimEnd())].join('\n')
  const [, ...blocks] = isMap(document.contents) ? document.contents.items : []
  for (const { key } of blocks) if (isScalar(key)) key.spaceBefore = true
  return document.toString({ lineWidth: 0 })
}

/**
 * The key of the store under its present name. The translation itself keeps the former one: variables that were set beside a file of the Go
 * proxy (`OMAP_BROKER__ENCRYPTION_KEYS`) name that, and both at once are a mistake.
 */
function withKeysAtTop({ servers, broker, ...rest }: ConfigInput): ConfigInput {
  const { encryption_keys: keys, ...others } = broker ?? {}
  return {
    ...rest,
    ...(keys !== undefined && { encryption_keys: keys }),
    ...(Object.keys(others).length > 0 && { broker: others }),
    servers,
  }
}

/** Leaves out what the schema fills in by itself. */
function dropDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(dropDefaults)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).filter(
    ([, member]) => member !== false && !(Array.isArray(member) && member.length === 0),
  )
  return Object.fromEntries(members.map(([key, member]) => [key, dropDefaults(member)]))
}
