import { quote } from '../problem/problem.ts'
import type { RuleConfig } from '../schema/access.ts'

/** Where a pattern is: of a rule, of an access entry. */
type Where = 'of a rule' | 'of an access entry'

/** `get_.*`: before a dot with a star stands no name that the dot could divide. */
const ANY_LETTERS = /(?<![A-Za-z0-9*])\.\*/
/** "Tool names SHOULD NOT contain spaces, commas, or other special characters" (2025-11-25, server/tools, Tool Names). */
const UNUSUAL = /[\s,()[\]{}|^$+?\\"'`<>;%&=#@~!]|^\//u
/** Names of prompts may be ones that people read. */
const REGULAR = /[()[\]{}|^$\\]/

export function describeTool(tool: string, where: Where): string[] {
  return UNUSUAL.test(tool) || ANY_LETTERS.test(tool) ? [describeName('tool', tool, where)] : []
}

export function describePrompt(prompt: string, where: Where): string[] {
  return REGULAR.test(prompt) || ANY_LETTERS.test(prompt) ? [describeName('prompt', prompt, where)] : []
}

function describeName(kind: 'tool' | 'prompt', name: string, where: Where): string {
  return `the ${kind} ${quote(name)} ${where} is compared letter by letter, but for \`*\`, which stands for any characters: it is no regular expression, and no list. Write an item or a rule for each name.`
}

/** Characters that no URI has (RFC 3986 §2), but regular expressions have. */
const NOT_OF_URIS = /[\^|<>"]/
const WITHOUT_SCHEME = /^(?![/*]|[A-Za-z][\w+.-]*:)/

export function describeResource(resource: string, where: Where): string[] {
  const what = `the resource ${quote(resource)} ${where}`
  if (NOT_OF_URIS.test(resource) || ANY_LETTERS.test(resource))
    return [
      `${what} is no regular expression: \`*\` stands for any characters except \`/\`, \`**\` for any characters, all else for itself.`,
    ]
  if (WITHOUT_SCHEME.test(resource)) return [`${what} has no scheme, and no URI is without one. Write **/${resource} for any.`]
  return []
}

/** Rules about what is directly in a folder, or about the folder itself, where its author may have meant all that is in it. */
export function listShallowRules(rules: readonly RuleConfig[]): string[] {
  return rules.filter(asksForMore).flatMap(({ resource = '' }) => {
    const [, folder, star] = /^([^*]*\/)(\*?)$/.exec(resource) ?? []
    if (folder === undefined || rules.some((rule) => isAboutAll(rule, folder))) return []
    const what =
      star === '' ? 'is about the folder itself, and not about what is in it' : 'is not about what is deeper in the folder'
    return [`the resource ${quote(resource)} of a rule ${what}. Write ${folder}** for all of it.`]
  })
}

function asksForMore({ scopes = [], require: needed, deny, mode }: RuleConfig): boolean {
  return mode !== 'shadow' && (scopes.length > 0 || needed !== undefined || deny === true)
}

function isAboutAll({ resource = '' }: RuleConfig, folder: string): boolean {
  return resource.endsWith('**') && folder.startsWith(resource.replace(/\*+$/, ''))
}
