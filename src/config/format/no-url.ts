import type { Mistake } from '../problem/problem.ts'

const PLACEHOLDER = /^https?:\/\/[^/]*(?:<[^<>/]*>|\{[^{}/]*\})/

/** What is written where a URL belongs. */
export function describeNoUrl(text: string): Mistake {
  if (PLACEHOLDER.test(text))
    return { reason: 'has a placeholder in place of a host name', fix: 'Write your own host name in its place.' }
  if (/^[“”„‘’‚«»]/.test(text))
    return { reason: 'begins with a typographic quote', fix: 'Write straight quotes (" or \'), or leave them out.' }
  return { reason: 'is not an absolute http or https URL', fix: 'Write the whole URL, for example https://example.com/path.' }
}

/** A program and its arguments: words without a scheme. */
const COMMAND = /^(?:npx|uvx|uv|node|python3?|docker|bunx|deno|java|\.{1,2}\/[\w./-]+)(?: |$)/

/** A command where the URL of an MCP server belongs. */
export function findCommandMistake(text: string): Mistake | undefined {
  if (!COMMAND.test(text)) return undefined
  return { reason: 'is a command, not an http or https URL', fix: 'Write it as `upstream: { command: … }`.' }
}
