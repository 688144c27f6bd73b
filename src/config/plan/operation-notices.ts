import { MCP_FAMILIES, MCP_METHODS } from '../../core/mcp-methods.ts'
import { findNearest } from '../../core/nearest-word.ts'
import { quote } from '../problem/problem.ts'
import type { AccessEntryConfig, RuleConfig } from '../schema/access.ts'
import { listExpressionSlips } from './expression-notices.ts'
import { describePrompt, describeResource, describeTool, listShallowRules } from './pattern-notices.ts'

/**
 * Names that no MCP server and no token has, as far as is known: an entry with one opens nothing, and a rule with one protects nothing. And
 * patterns and expressions that say less, or more, than they seem to. No mistakes, since servers and issuers may have names of their own.
 *
 * @param owner - where the rules and entries are
 */
export function createOperationNotices(
  owner: string,
  entries: readonly AccessEntryConfig[] = [],
  rules: readonly RuleConfig[] = [],
): string[] {
  const slips = new Set([
    ...entries.flatMap(listOfEntry),
    ...rules.flatMap(listOfRule),
    ...listShallowRules(rules),
    ...listExpressionSlips(entries, rules),
  ])
  return [...slips].map((slip) => `${owner}: ${slip}`)
}

function listOfRule({ method, tool, prompt, resource }: RuleConfig): string[] {
  return [
    ...(method === undefined ? [] : describeMethod(method, 'of a rule')),
    ...(tool === undefined ? [] : describeTool(tool, 'of a rule')),
    ...(prompt === undefined ? [] : describePrompt(prompt, 'of a rule')),
    ...(resource === undefined ? [] : describeResource(resource, 'of a rule')),
  ]
}

function listOfEntry(entry: AccessEntryConfig): string[] {
  const { methods = [], tools = [], prompts = [], resources = [] } = entry
  return [
    ...listOfConditions(entry),
    ...methods.flatMap((method) => describeMethod(method, 'of an access entry')),
    ...tools.flatMap((tool) => describeTool(tool, 'of an access entry')),
    ...prompts.flatMap((prompt) => describePrompt(prompt, 'of an access entry')),
    ...resources.flatMap((resource) => describeResource(resource, 'of an access entry')),
  ]
}

function listOfConditions({ groups = [], claim, values = [] }: AccessEntryConfig): string[] {
  return [
    ...groups.flatMap((group) => describeStar('group', group)),
    ...(claim === undefined ? [] : [...describeClaim(claim), ...values.flatMap((value) => describeValue(claim, value))]),
  ]
}

/** In groups and values a star is no pattern: an entry that was meant for many would fit no caller. */
function describeStar(what: string, name: string): string[] {
  if (!name.includes('*')) return []
  return [
    `the ${what} ${quote(name)} of an access entry is compared letter by letter, \`*\` too. List each, use an expression (\`who\`), or write \`everyone: true\`.`,
  ]
}

function describeClaim(claim: string): string[] {
  if (claim === 'scope')
    return ['the claim scope of an access entry has all scopes in one text. Write who: "\'read\' in principal.scopes".']
  const inToken = claim.replace(/^principal\.(?:claims\.)?/, '')
  return claim === inToken ? [] : [`the claim ${quote(claim)} of an access entry is named as in the token. Was ${inToken} meant?`]
}

function describeValue(claim: string, value: string): string[] {
  if (claim === 'email_domain' && value.startsWith('@'))
    return [`no email_domain begins with @, as ${quote(value)} of an access entry does. Write ${value.slice(1)}.`]
  return describeStar('value', value)
}

function describeMethod(method: string, where: string): string[] {
  if (isKnownMethod(method)) return []
  const nearest = findNearest(method, MCP_METHODS)
  return [`no revision of MCP has the method ${quote(method)} ${where}${nearest === undefined ? '.' : `. Was ${nearest} meant?`}`]
}

function isKnownMethod(method: string): boolean {
  return method.endsWith('/*') ? MCP_FAMILIES.has(method.slice(0, method.indexOf('/'))) : MCP_METHODS.has(method)
}
