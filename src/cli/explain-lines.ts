import type { Denial } from '../core/decision.ts'
import type { Principal } from '../core/principal.ts'
import { endSentence } from '../core/sentence.ts'
import { escapeControlCharacters } from '../doctor/untrusted-text.ts'
import type { Answer, describeRefusedToken } from '../explain/answer.ts'
import type { ExplainedStep, Explanation, Listed } from '../explain/explanation.ts'
import type { NamedOperation } from '../explain/request.ts'
import type { Paint, Style } from './style.ts'
import { WIDTH, wrap, wrapHanging } from './wrap.ts'

/** What was asked, and what came out. */
export interface Explained {
  readonly asked: {
    readonly operation: NamedOperation
    readonly server: string
    readonly path: string
    readonly revision: string
  }
  /** What the explanation does not take into account. */
  readonly notes: readonly string[]
  /** Undefined where the token is refused. */
  readonly principal: Principal | undefined
  readonly explanation: Explanation | undefined
  readonly refusedToken: ReturnType<typeof describeRefusedToken> | undefined
}

const STYLES: Readonly<Record<ExplainedStep['outcome'], Style>> = { holds: 'green', fails: 'red', depends: 'yellow' }

/**
 * The explanation for people, in lines of at most 80 columns.
 *
 * @param redact - takes out what may not be shown
 */
export function formatExplained({ asked, notes, ...found }: Explained, paint: Paint, redact: (text: string) => string): string[] {
  const clean = (text: string) => escapeControlCharacters(redact(text))
  const { operation, server, path, revision } = asked
  const { principal, explanation, refusedToken } = found
  const head = `${operation.kind} ${operation.name} of server ${server} (${path}), revision ${revision}`
  const lines = wrapHanging(clean(head), 2).map((line) => paint('bold', line))
  if (principal) lines.push(...wrapHanging(clean(formatPrincipal(principal)), 2))
  for (const note of notes) lines.push(...wrapHanging(note, 2))
  if (refusedToken) {
    const { status, code, message, cause } = refusedToken
    return [
      ...lines,
      '',
      ...formatVerdict(
        'red',
        clean(`Refused before policy is asked: ${status}, ${code}: ${message}${cause === '' ? '' : ` (${cause})`}.`),
        paint,
      ),
    ]
  }
  if (!explanation) return lines
  return [...lines, '', ...formatSteps(explanation.steps, paint, clean), ...formatOutcome(explanation, paint, clean)]
}

/** The caller in a line. */
export function formatPrincipal({ issuer, subject, clientId, scopes, groups, groupsUnknown }: Principal): string {
  return [
    subject === undefined ? 'a caller without a subject' : `subject ${subject}`,
    `issuer ${issuer}`,
    ...(clientId === undefined ? [] : [`client ${clientId}`]),
    `scopes ${[...scopes].join(' ') || '(none)'}`,
    groupsUnknown === undefined ? `groups ${groups.join(', ') || '(none)'}` : `groups not known: ${groupsUnknown}`,
  ].join('; ')
}

/** The checks of a decision, in order. */
export function formatSteps(steps: readonly ExplainedStep[], paint: Paint, clean: (text: string) => string): string[] {
  return steps.flatMap(({ check, outcome, isShadow, detail, about }) => {
    const name = `${check}${isShadow ? ' (shadow)' : ''}`
    const why = detail === '' ? '' : ` → ${detail}`
    const text = clean(`${name}${about === '' ? '' : `: ${about}`}${why}`)
    return wrap(text, WIDTH - 11).map((line, index) =>
      index === 0 ? `  ${paint(STYLES[outcome], outcome.padEnd(9))}${line}` : `${' '.repeat(11)}${line}`,
    )
  })
}

function formatOutcome(
  { decision, steps, answer, listed }: Explanation,
  paint: Paint,
  clean: (text: string) => string,
): string[] {
  const lines = steps.length === 0 ? ['  No access entry and no rule is about it.'] : []
  lines.push('')
  if (answer === undefined) lines.push(paint('green', 'Permitted.'))
  if (decision.effect !== 'permit') {
    lines.push(...formatVerdict('red', clean(`Denied${formatWhy(decision, steps)}.`), paint))
  }
  if (answer) lines.push(...wrapHanging(clean(`The caller gets ${endSentence(formatAnswer(answer))}`), 2))
  for (const shadow of decision.wouldDeny ?? []) lines.push(...wrapHanging(clean(`In shadow, would be denied: ${shadow}.`), 2))
  if (listed) lines.push(...wrapHanging(formatListed(listed), 2))
  return lines
}

/** What decided, and why. */
export function formatWhy({ decidedBy, reason }: Denial, steps: readonly ExplainedStep[]): string {
  const step = steps.find(({ check, outcome }) => check === decidedBy && outcome !== 'holds')
  return decidedBy === undefined ? `: ${reason}` : ` by ${decidedBy}: ${step?.detail || reason}`
}

function formatVerdict(style: Style, text: string, paint: Paint): string[] {
  return wrapHanging(text, 2).map((line) => paint(style, line))
}

/** What the caller gets, in words. */
function formatAnswer({ status, code, message, reason, challengeScopes, error }: Answer): string {
  if (challengeScopes) return `${status} with a challenge for the scopes ${challengeScopes.join(' ')} (${code})`
  if (error !== undefined)
    return `${status} with what MCP servers answer for a name that does not exist: ${JSON.stringify(error)}`
  return `${status} without a challenge (${code}): ${endSentence(reason ?? message)}`
}

function formatListed({ method, isShown, why }: Listed): string {
  if (why === 'list_refused') return `${method} is refused itself, so it shows nothing.`
  const shown = `${method} ${isShown ? 'shows' : 'does not show'} it`
  return why === 'not_filtered' ? `${shown}: the list passes as it is.` : `${shown}.`
}
