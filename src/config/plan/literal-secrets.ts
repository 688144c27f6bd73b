import { type ConfigPath, formatPath } from '../problem/problem.ts'
import type { Config } from '../schema/schema.ts'
import type { UpstreamConfig } from '../schema/server.ts'

/** Names whose values are secrets, as the last words of them: `GITHUB_TOKEN`, `apiKey`. */
const SECRET_NAME =
  /(?:^|[-_.])(?:token|secret|password|passwd|passphrase|credentials?|(?:api|access|secret|private|signing|encryption)[-_.]?key)$/i
/** Texts that are secrets wherever they stand: schemes of credentials, JWTs, keys of well-known services, PEM, passwords in URLs. */
const secretValue =
  /\b(?:bearer|basic) [\w~+/.=-]{8}|\beyJ[\w-]{8,}\.eyJ|\b(?:gh[opsu]_|github_pat_|glpat-|xox[abprs]-|sk-|sk_live_|AKIA|AIza|ya29\.|npm_|hf_|omap_)[\w-]{16}|-----BEGIN [A-Z ]{0,30}PRIVATE KEY|:\/\/[^/@:\s]{0,100}:[^/@\s]{1,100}@/i
/** Values that switch something: `USE_TOKEN=1`. */
const SWITCH_VALUE = /^(?:true|false|yes|no|on|off|\d{0,3})$/i
const ASSIGNMENT = /^-{0,2}([\w.-]{1,100})(?:=|: ?)(.+)$/s
const OPTION = /^--?(?!no-)[\w.-]{1,100}$/

/** A text of the configuration, and where it stands. */
interface Written {
  readonly at: ConfigPath
  readonly text: string
  readonly name?: string | undefined
}

/** Where a configuration holds what looks like a secret, which is for the environment or a file of its own. */
export function listLiteralSecrets({ servers }: Config): string[] {
  const written = servers.flatMap(({ upstream, sse }, index) => [
    ...listTexts(upstream, ['servers', index, 'upstream']),
    ...listTexts(sse?.upstream, ['servers', index, 'sse', 'upstream']),
  ])
  return written.filter(isSecret).map(({ at }) => formatPath(at))
}

function listTexts(upstream: UpstreamConfig | undefined, at: ConfigPath): Written[] {
  const { url, headers = {}, env = {}, command = [], args = [] } = upstream ?? {}
  const words = [
    ...command.map((text, i) => ({ at: [...at, 'command', i], text })),
    ...args.map((text, i) => ({ at: [...at, 'args', i], text })),
  ]
  return [
    ...(url === undefined ? [] : listParameters(url, [...at, 'url'])),
    ...Object.entries({ headers, env }).flatMap(([key, values]) =>
      Object.entries(values).flatMap(([name, { text }]) => (text === undefined ? [] : [{ at: [...at, key, name], text, name }])),
    ),
    ...words.map((word, i) => ({ ...word, name: nameOption(words[i - 1]?.text, word.text) })),
  ]
}

function listParameters(url: string, at: ConfigPath): Written[] {
  const found = [...(URL.parse(url)?.searchParams ?? [])].map(([name, text]) => ({ at, text, name }))
  // One place is told once.
  return [...found.filter(isSecret), { at, text: url }].slice(0, 1)
}

/** An option that stands before its value: `--token x`. */
function nameOption(before: string | undefined, text: string): string | undefined {
  return before !== undefined && OPTION.test(before) && !text.startsWith('-') ? before : undefined
}

function isSecret({ text, name }: Written): boolean {
  const [, ownName = '', value = ''] = ASSIGNMENT.exec(text) ?? []
  return secretValue.test(text) || isNamedSecret(name ?? '', text) || isNamedSecret(ownName, value)
}

function isNamedSecret(name: string, value: string): boolean {
  const words = name.replace(/([a-z])([A-Z])/g, '$1_$2')
  return value !== '' && SECRET_NAME.test(words) && !SWITCH_VALUE.test(value)
}
