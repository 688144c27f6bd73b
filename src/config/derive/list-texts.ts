import type { ConfigPath } from '../problem/problem.ts'

interface Text {
  readonly at: ConfigPath
  readonly text: string
}

type FindSecret = (reference: { readonly env?: string; readonly file?: string }) => string | undefined

/** Every text of a configuration, and every secret that it names, with its place. */
export function listTexts(value: unknown, at: ConfigPath, findSecret: FindSecret): Text[] {
  if (typeof value === 'string') return [{ at, text: value }]
  if (Array.isArray(value)) return value.flatMap((item, index) => listTexts(item, [...at, index], findSecret))
  if (typeof value !== 'object' || value === null) return []
  const { env, file } = value as { readonly env?: unknown; readonly file?: unknown }
  const secret = typeof env === 'string' || typeof file === 'string' ? findSecret(value) : undefined
  const own = secret === undefined ? [] : [{ at, text: secret }]
  return [...own, ...Object.entries(value).flatMap(([key, member]) => listTexts(member, [...at, key], findSecret))]
}
