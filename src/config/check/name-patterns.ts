import { MCP_FAMILIES, MCP_METHODS } from '../../core/mcp-methods.ts'
import { type Mistake, quote } from '../problem/problem.ts'

/** What keeps the pattern of a tool or prompt from being what it looks like. Names are compared letter by letter. */
export function findNamePatternMistake(pattern: string): Mistake | undefined {
  if (pattern.trim() === '') return undefined
  if (pattern.trim() !== pattern) return { reason: `${quote(pattern)} begins or ends with white space`, fix: 'Remove it.' }
  if (pattern.startsWith('!')) return describeExclusion(pattern)
  if (!/[\p{Cc}\p{Cf}]/u.test(pattern)) return undefined
  return { reason: `${quote(pattern)} has an invisible character`, fix: 'Write the name as the MCP server lists it.' }
}

/** In other files of patterns it takes away what others name. Here an entry would open it all the same, and a rule protect nothing. */
export function describeExclusion(pattern: string): Mistake {
  return {
    reason: `${quote(pattern)} begins with \`!\`, which excludes nothing here`,
    fix: 'Remove it. What is to be excluded needs a rule with `deny: true`, and `on_deny: hide` to hide it; `*` stands for a `!` that is part of the name.',
  }
}

const METHODS = [...MCP_METHODS, ...[...MCP_FAMILIES].map((family) => `${family}/*`)]

/** What keeps the `method` of a rule from being one. */
export function findMethodMistake(method: string): Mistake | undefined {
  if (!/^[\w$.-]+(?:\/[\w$.-]+)*(?:\/\*)?$/.test(method))
    return { reason: `${quote(method)} is no method`, fix: 'Write a method (tools/call) or a family of methods (tools/*).' }
  const known = METHODS.find((name) => name.toLowerCase() === method.toLowerCase())
  if (known === undefined || known === method) return undefined
  return { reason: `${quote(method)} is no method: case counts`, fix: `Write ${known}.` }
}
