import type { ProxyError } from './errors.ts'

const MAX_CHARACTERS = 300

/** Why something was refused, for the operator: the innermost reason, since outer ones only say what was being done. */
export function describeCause({ cause }: ProxyError): string {
  return cause instanceof Error ? describeError(cause) : typeof cause === 'string' ? cause.slice(0, MAX_CHARACTERS) : ''
}

/** What went wrong and why, in one text. Errors about several addresses have no message, only a code. */
export function describeError(error: Error & { readonly code?: unknown }): string {
  const { message, cause, code } = error
  const inner = cause instanceof Error ? `: ${cause.message}` : ''
  return `${message === '' ? String(code ?? error.name) : message}${inner}`.slice(0, MAX_CHARACTERS)
}
