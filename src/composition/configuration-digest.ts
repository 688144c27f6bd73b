import { hash } from 'node:crypto'
import type { Plan } from '../core/plan/plan.ts'

/**
 * What tells configurations apart, for logs and `/status`: replicas with the same digest have the same settings. It tells nothing of secrets,
 * which could be guessed from it otherwise.
 */
export function digestConfiguration({ notices: _, ...plan }: Plan): string {
  return hash('sha256', JSON.stringify(sortMembers(plan))).slice(0, 16)
}

/** Members of plans that hold secrets, or may. */
const SECRET = new Set(['secret', 'secrets', 'clientSecret', 'password', 'token', 'privateKey', 'key', 'headers', 'env', 'url'])

/** Members whose own members may be secrets. */
const SECRET_MEMBERS = new Set(['headers', 'env', 'parameters'])

/** Members in one order, without secrets. */
function sortMembers(value: unknown, name = ''): unknown {
  if (typeof value !== 'object' || value === null) return SECRET.has(name) ? hideValue(name, value) : value
  if (ArrayBuffer.isView(value)) return '(bytes)'
  if (Array.isArray(value)) return sortItems(name, value)
  const members = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1))
  return members.map(([member, of]) => [member, SECRET_MEMBERS.has(name) ? '(value)' : sortMembers(of, member)])
}

function sortItems(name: string, items: readonly unknown[]): unknown {
  if (SECRET.has(name)) return items.length
  // Passwords stand among the arguments of programs.
  if (name === 'command') return [items[0], items.length]
  return items.map((item) => sortMembers(item))
}

/** A URL without what may be a secret in it. */
function hideValue(name: string, value: unknown): unknown {
  const url = name === 'url' && typeof value === 'string' ? URL.parse(value) : null
  if (url === null) return value === undefined ? undefined : '(secret)'
  return `${url.protocol}//${url.host}${url.pathname}`
}
