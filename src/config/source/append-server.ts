import { isDeepStrictEqual } from 'node:util'
import { isNode, isSeq, parseDocument, stringify } from 'yaml'
import { readYaml } from './yaml-text.ts'

/** A member of `servers`. */
export type ServerItem = Readonly<Record<string, unknown>>

/**
 * Adds a server to the text of a configuration file. All else stays as it is, comments and order included.
 *
 * @param text - YAML or JSON with a list `servers`, without mistakes of form
 * @throws ConfigError when it is neither
 */
export function appendServer(text: string, server: ServerItem): string {
  const before = readYaml(text).value as { readonly servers?: readonly unknown[] }
  const expected = { ...before, servers: [...(before.servers ?? []), server] }
  const ways = [() => insertLines(text, server), () => insertNode(text, server)]
  for (const way of ways) {
    const after = way()
    if (after !== undefined && isDeepStrictEqual(readYaml(after).value, expected)) return after
  }
  return isJson(text) ? `${JSON.stringify(expected, null, 2)}\n` : stringify(expected)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Lines behind the last server of a block: not a letter of the rest changes. */
function insertLines(text: string, server: ServerItem): string | undefined {
  const list = parseDocument(text).get('servers', true)
  const last = isSeq(list) && list.flow !== true ? list.items.at(-1) : undefined
  if (!isNode(last) || !last.range) return undefined
  const [start, end] = last.range
  const dash = text.lastIndexOf('-', start - 1)
  const indent = ' '.repeat(dash - (text.lastIndexOf('\n', dash) + 1))
  const at = findEnd(text, Math.max(start, end - 1), indent.length)
  const lineBreak = text.includes('\r\n') ? '\r\n' : '\n'
  const lines = stringify([server], { lineWidth: 0 }).trimEnd().split('\n')
  const separator = at > 0 && text[at - 1] !== '\n' ? lineBreak : ''
  return `${text.slice(0, at)}${separator}${lines.map((line) => `${indent}${line}${lineBreak}`).join('')}${text.slice(at)}`
}

/** Behind the line, and behind the comments below it that are indented like a part of it. */
function findEnd(text: string, offset: number, indent: number): number {
  const nextLine = (from: number) => (text.indexOf('\n', from) < 0 ? text.length : text.indexOf('\n', from) + 1)
  let end = nextLine(offset)
  for (let at = end; at < text.length; at = nextLine(at)) {
    const line = text.slice(at, nextLine(at)).trimEnd()
    if (line === '') continue
    if (!line.trimStart().startsWith('#') || line.length - line.trimStart().length <= indent) break
    end = nextLine(at)
  }
  return end
}

/** A list in brackets: written anew by the library, which keeps comments and order. */
function insertNode(text: string, server: ServerItem): string | undefined {
  if (isJson(text)) return undefined
  const document = parseDocument(text)
  if (isSeq(document.get('servers', true))) document.addIn(['servers'], document.createNode(server))
  else document.set('servers', document.createNode([server]))
  return document.toString({ lineWidth: 0 })
}
