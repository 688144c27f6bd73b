import { ProxyError } from '../core/errors.ts'
import type { TokenVerifier } from '../core/ports.ts'
import type { Principal } from '../core/principal.ts'
import { createCounter } from './counter.ts'
import type { Metric } from './metric.ts'

/** Counts the tokens that are shown: verified, recognised (`recalled`), or refused with a code. */
export interface TokenMeter {
  readonly metrics: readonly Metric[]
  /** @returns a verifier that does the same and is counted */
  measure(verifier: TokenVerifier, server: string): TokenVerifier
}

export function createTokenMeter(): TokenMeter {
  const tokens = createCounter('mcp_auth_proxy_tokens', 'Access tokens that were shown.', ['server', 'outcome'])
  return {
    metrics: [tokens],
    measure(verifier, server) {
      const count = (outcome: string): void => tokens.add(server, outcome)
      const measured = { ...verifier, verify: (token: string, address?: string) => verify(verifier, count, token, address) }
      if (verifier.recall === undefined) return measured
      return { ...measured, recall: (token) => countRecalled(verifier.recall?.(token), count) }
    },
  }
}

function countRecalled(principal: Principal | undefined, count: (outcome: string) => void): Principal | undefined {
  if (principal !== undefined) count('recalled')
  return principal
}

async function verify(
  verifier: TokenVerifier,
  count: (outcome: string) => void,
  token: string,
  address?: string,
): Promise<Principal> {
  try {
    const answer = verifier.verify(token, address)
    const principal = await answer
    count(answer instanceof Promise ? 'verified' : 'recalled')
    return principal
  } catch (error) {
    count(error instanceof ProxyError ? error.code : 'internal_error')
    throw error
  }
}
