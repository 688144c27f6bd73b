import type { IssuerPlan } from '../../src/core/plan/issuer-plan.ts'
import { createTokenVerifier, type TokenVerifierOptions, type WarmTokenVerifier } from '../../src/oauth/token-verifier.ts'
import { createIssuerPlan } from './issuer-plan.ts'
import { type IssuerOptions, startIssuer, type TestIssuer } from './tokens.ts'

/** The audience that test issuers mint tokens for unless told otherwise. */
export const audience = 'https://mcp.example.com/mcp'

export interface VerifierSetup {
  readonly issuer: TestIssuer
  readonly verifier: WarmTokenVerifier
  /** What the operator was told about the issuer. */
  readonly issues: readonly string[]
  close(): Promise<void>
}

/** Starts an issuer and a verifier that accepts its tokens. */
export async function startVerifier(
  plan: Partial<IssuerPlan> = {},
  options: Partial<TokenVerifierOptions> = {},
  issuerOptions: IssuerOptions = {},
): Promise<VerifierSetup> {
  const issuer = await startIssuer(issuerOptions)
  const issues: string[] = []
  const verifier = createTokenVerifier({
    issuers: [createIssuerPlan(issuer.issuer, plan)],
    audiences: [audience],
    onIssue: (message) => issues.push(message),
    ...options,
  })
  const close = async () => {
    await verifier.close()
    await issuer.close()
  }
  return { issuer, verifier, issues, close }
}

/** The claims of a token that passes. */
export function createClaims(issuer: string, differences: Record<string, unknown> = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000)
  return { iss: issuer, aud: audience, sub: 'alice', client_id: 'test', scope: 'read', iat: now, exp: now + 3600, ...differences }
}
