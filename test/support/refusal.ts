import { expect } from 'vitest'
import { type ErrorCode, ProxyError } from '../../src/core/errors.ts'
import type { TokenVerifier } from '../../src/core/ports.ts'
import type { Principal } from '../../src/core/principal.ts'

/** Verifies a token, whether that succeeds at once or later. */
export async function verifyToken(verifier: TokenVerifier, token: string): Promise<Principal> {
  return await verifier.verify(token)
}

/**
 * Expects a token to be refused with that code, and for a reason that the operator can be told without telling a secret.
 *
 * @returns the reason, as one text
 */
export async function expectRefused(verifier: TokenVerifier, token: string, code: ErrorCode): Promise<string> {
  const error = await verifyToken(verifier, token).catch((reason: unknown) => reason)
  if (!(error instanceof ProxyError)) throw new Error(`expected ${code}, got ${JSON.stringify(error)}`, { cause: error })
  const reason = describeError(error)
  expect(error.code, reason).toBe(code)
  expect(error.cause).toBeDefined()
  const signature = token.split('.')[2] ?? ''
  if (signature.length > 20) expect(reason).not.toContain(signature)
  if (token.length > 20) expect(reason).not.toContain(token)
  return reason
}

/** A whole chain of causes. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return `${error.message}${error.cause === undefined ? '' : `: ${describeError(error.cause)}`}`
}
