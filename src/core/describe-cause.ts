import type { ProxyError } from './errors.ts'

const MAX_CHARACTERS = 300

/** Why something was refused, for the operator: the innermost reason, since outer ones only say what was being done. */
export function describeCause({ cause }: ProxyError): string {
  return cause instanceof Error ? describeError(cause) : typeof cause === 'string' ? cause.slice(0, MAX_CHARACTERS) : ''
}

/** What went wrong and why, in one text. Errors about several addresses have no message, only a code. */
export function describeError(error: Error & { readonly code?: unknown }): string {
  const { cause, code } = error
  const message = readMessage(error)
  const inner = cause instanceof Error ? `: ${readMessage(cause)}` : ''
  return `${message === '' ? String(code ?? error.name) : message}${inner}`.slice(0, MAX_CHARACTERS)
}

/** The message of an error. Those of OpenSSL are about its own source code: then the code, which says the same in words. */
export function readMessage(error: Error & { readonly code?: unknown }): string {
  return typeof error.code === 'string' && error.code.startsWith('ERR_SSL_') ? error.code : error.message
}
