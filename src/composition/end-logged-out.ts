import { type Denial, secondAfter } from '../core/deny-list.ts'
import type { BrokerPlan } from '../core/plan/broker-plan.ts'
import type { SignInRegister } from '../core/sign-in-register.ts'
import type { Logout } from '../revocation/logout-token.ts'
import { type Accepted, findAcceptedTokens } from './accepted-tokens.ts'
import { describeDenial } from './admin-actions.ts'
import type { Foundation } from './foundation.ts'

type Register = Pick<SignInRegister, 'findBySession' | 'endSignIn'>
type Context = Pick<Foundation, 'denied' | 'clock' | 'onEvent'>

/**
 * Tokens that were issued until now are refused, and those of the session for good. At the broker everything of the user ends, even where
 * the deny list has no room: its grants do not say with which session of the identity provider they began.
 *
 * @param register - undefined without a broker
 */
export async function endLoggedOut(
  logout: Logout,
  plan: Accepted,
  register: Register | undefined,
  context: Context,
): Promise<void> {
  const { denied, clock, onEvent } = context
  const denials = planDenials(logout, plan, clock.wall())
  try {
    if (denials.length > 0) await denied.add(denials, 'logout')
    for (const denial of denials) onEvent(describeDenial(denial))
  } finally {
    if (register !== undefined && plan.broker?.logoutIssuer?.issuer === logout.issuer)
      await endAtBroker(logout, plan.broker, register, context)
  }
}

async function endAtBroker({ subject, sid }: Logout, plan: BrokerPlan, register: Register, { denied, clock }: Context) {
  const subjects = subject === undefined ? await register.findBySession(sid ?? '') : [subject]
  try {
    const denials = subjects.map((ended) => createDenial('user', plan, ended, clock.wall()))
    if (denials.length > 0) await denied.add(denials, 'logout')
  } finally {
    for (const ended of subjects) await register.endSignIn(ended)
  }
}

function createDenial(kind: 'user', { issuer, accessTokenSeconds }: BrokerPlan, value: string, now: number): Denial {
  return { kind, issuer, value, issuedBefore: secondAfter(now), expiresAt: now + (accessTokenSeconds + 60) * 1000 }
}

/** For tokens of the issuer itself, where servers accept them. Its clock may be ahead of ours: what it issued before the logout is older by either. */
function planDenials({ issuer, subject, sid, issuedAt }: Logout, plan: Accepted, now: number): readonly Denial[] {
  const accepted = findAcceptedTokens(plan, issuer)
  if (accepted === undefined) return []
  const expiresAt = now + accepted.longestSeconds * 1000
  const issuedBefore = secondAfter(Math.max(now, issuedAt * 1000))
  const denials: readonly (Denial | false)[] = [
    subject !== undefined && { kind: 'user', issuer, value: subject, issuedBefore, expiresAt },
    sid !== undefined && { kind: 'session', issuer, value: sid, issuedBefore: undefined, expiresAt },
  ]
  return denials.filter((denial) => denial !== false)
}
