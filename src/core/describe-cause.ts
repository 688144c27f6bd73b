import type { ProxyError } from './errors.ts'

/** Why something was refused, for the operator: the innermost reason, since outer ones only say what was being done. */
export function describeCause({ cause }: ProxyError): string {
  const outer = cause instanceof Error ? cause.message : typeof cause === 'string' ? cause : ''
  const inner = cause instanceof Error && cause.cause instanceof Error ? `: ${cause.cause.message}` : ''
  return `${outer}${inner}`.slice(0, 300)
}
