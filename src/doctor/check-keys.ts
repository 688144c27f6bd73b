import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import type { Finding, Findings } from './finding.ts'
import type { IssuerProbe } from './probe-issuer.ts'
import { escapeControlCharacters } from './untrusted-text.ts'

/** Whether the keys of an issuer verify what it signs. */
export function checkKeys({ keys, metadata }: IssuerProbe, plan: IssuerPlan, about: Findings): Finding[] {
  if (keys === undefined) {
    if (metadata === undefined || plan.introspection !== undefined) return []
    return [
      about.problem(
        'keys_unnamed',
        'Its metadata has no jwks_uri, so signatures cannot be verified.',
        'Set `jwks_uri` of the issuer, or `introspection` if its tokens are opaque.',
      ),
    ]
  }
  const { url, answer } = keys
  if (answer.kind === 'failure') {
    return [
      about.problem(
        'keys_unreachable',
        `Its keys (${escapeControlCharacters(url).slice(0, 200)}) cannot be fetched: ${answer.failure.reason}.`,
        fixKeys(answer.failure.reason, answer.failure.fix),
      ),
    ]
  }
  const unusable = answer.problems.map((problem) =>
    about.problem(
      'key_unusable',
      `A key cannot be used: ${escapeControlCharacters(problem).slice(0, 200)}.`,
      'Replace it at the issuer: RSA keys need 2048 bits and more, every key a `kid` of its own, and no private part is published.',
    ),
  )
  return [...unusable, checkAlgorithms(answer.size, answer.algorithms, plan, about)]
}

function fixKeys(reason: string, fallback: string): string {
  if (!/not (?:a )?public/.test(reason)) return fallback
  return 'The metadata leads into a private network. If that is right, set `allow_private_network: true` for the issuer.'
}

function checkAlgorithms(size: number, published: readonly string[], plan: IssuerPlan, about: Findings): Finding {
  if (size === 0) {
    return about.problem(
      'keys_none',
      'It publishes no key that can verify signatures.',
      'Give the issuer an RSA, EC or Ed25519 signing key. Shared secrets (HS256) are not accepted.',
    )
  }
  const names = (list: readonly string[]) => new Set(list.map((name) => (name === 'Ed25519' ? 'EdDSA' : name)))
  const accepted = names(plan.algorithms)
  if ([...names(published)].some((name) => accepted.has(name)))
    return about.ok('keys', `${size === 1 ? 'One key verifies' : `${size} keys verify`} signatures (${published.join(', ')}).`)
  return about.problem(
    'algorithms_disjoint',
    `Its keys sign with ${published.join(', ')}, and \`algorithms\` accepts only ${plan.algorithms.join(', ')}.`,
    `Add ${published[0]} to \`algorithms\` of the issuer, or leave the key out.`,
  )
}
