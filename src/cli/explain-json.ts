import type { Explained } from './explain-lines.ts'

/** The explanation for programs: the names of log lines where there are some. */
export function describeExplained({ asked, notes, principal, explanation, refusedToken }: Explained): object {
  const { operation, ...where } = asked
  const decision = explanation?.decision
  const denial = decision?.effect === 'permit' ? undefined : decision
  return {
    decision: decision?.effect ?? 'deny',
    operation: { kind: operation.kind, name: operation.name },
    ...where,
    notes,
    principal: principal && {
      issuer: principal.issuer,
      subject: principal.subject,
      client_id: principal.clientId,
      scopes: [...principal.scopes],
      groups: principal.groups,
      groups_unknown: principal.groupsUnknown,
    },
    decided_by: denial?.decidedBy,
    reason: denial?.reason,
    missing_scopes: denial?.missing,
    would_deny: decision?.wouldDeny,
    answer: describeAnswer(refusedToken ?? explanation?.answer),
    steps: explanation?.steps.map(({ subject, check, outcome, isShadow, detail, about }) => ({
      ...{ subject, check, outcome, shadow: isShadow, detail, about },
    })),
    list: explanation?.listed && {
      method: explanation.listed.method,
      shown: explanation.listed.isShown,
      why: explanation.listed.why,
    },
  }
}

function describeAnswer(answer: Explained['refusedToken'] | NonNullable<Explained['explanation']>['answer']): object | undefined {
  if (answer === undefined) return undefined
  const { challengeScopes, ...others } = answer
  return { ...others, ...(challengeScopes && { challenge_scopes: challengeScopes }) }
}

/** What terminals obey, in the escapes of JSON. */
const OBEYED = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu

/** JSON in lines that a terminal shows as they are. */
export function formatJson(value: object): string {
  const lines = JSON.stringify(value, null, 2).split('\n')
  return lines.map((line) => line.replace(OBEYED, escapeUnits)).join('\n')
}

function escapeUnits(character: string): string {
  return Array.from({ length: character.length }, (_, index) => {
    return `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`
  }).join('')
}
