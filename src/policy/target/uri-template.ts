import type { Completing } from '../../core/operation.ts'

/** What a template becomes with the values that are known. */
export interface ExpandedTemplate {
  /** With variables that have no value yet as they are written. */
  readonly uri: string
  /** What everything begins with that it may become; undefined where nothing is open any more. */
  readonly beginning: string | undefined
}

/** An expression of a template (RFC 6570 §2.2): operator, variables. */
const EXPRESSION = /\{([+#./;?&]?)([^{}]*)\}/g

/**
 * Expands a template. Values stand in it as they are: servers put what they are given into paths, and whether they escape it is theirs
 * to decide.
 *
 * @param template - of a resource (RFC 6570)
 * @param completing - the values that the client named
 */
export function expandTemplate(template: string, completing: Completing | undefined): ExpandedTemplate {
  let beginning: string | undefined
  let behind = 0
  let uri = ''
  for (const { 0: written, 1: operator = '', 2: list = '', index } of template.matchAll(EXPRESSION)) {
    uri += template.slice(behind, index)
    behind = index + written.length
    for (const [position, name] of list.split(',').map(readVariable).entries()) {
      const value = completing && findValue(completing, name)
      uri += formatBefore(operator, position, name) + (value ?? '')
      if (value === undefined || name === completing?.name) beginning ??= uri
      if (value === undefined) uri += `{${name}}`
    }
  }
  uri += template.slice(behind)
  return { uri, beginning: beginning ?? beforeBrace(uri) }
}

/** A brace without its partner may begin an expression to another reader. */
function beforeBrace(uri: string): string | undefined {
  const brace = uri.indexOf('{')
  return brace === -1 ? undefined : uri.slice(0, brace)
}

/** Without its modifier (RFC 6570 §2.4). */
function readVariable(text: string): string {
  return text.replace(/(?::\d+|\*)$/, '').trim()
}

function findValue({ name, value, others }: Completing, variable: string): string | undefined {
  return variable === name ? value : others.get(variable)
}

/** What stands before a value (RFC 6570 §3.2). */
function formatBefore(operator: string, position: number, name: string): string {
  const isNamed = ';?&'.includes(operator) && operator !== ''
  const first = operator === '+' ? '' : operator
  const between = operator === '?' ? '&' : './;&'.includes(operator) && operator !== '' ? operator : ','
  return (position === 0 ? first : between) + (isNamed ? `${name}=` : '')
}

/** The variables of a template. */
export function listVariables(template: string): readonly string[] {
  return [...template.matchAll(EXPRESSION)].flatMap(({ 2: list = '' }) => list.split(',').map(readVariable))
}
